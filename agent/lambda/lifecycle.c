/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lifecycle.h"

enum launch_step lifecycle_launch(enum launch_state state, bool time_left)
{
	if (state == LAUNCH_PROVEN)
		return LAUNCH_CONTINUE;
	if (time_left)
		return LAUNCH_WAIT;
	return state == LAUNCH_BROKEN ? LAUNCH_ABANDON : LAUNCH_LATER;
}
