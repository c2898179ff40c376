/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What becomes of an instance that waits in a lifecycle hook. */
#ifndef NATXDP_LAMBDA_LIFECYCLE_H
#define NATXDP_LAMBDA_LIFECYCLE_H

#include <stdbool.h>

enum launch_state {
	LAUNCH_SILENT, /* it did not answer yet */
	LAUNCH_BROKEN, /* it answered, and its data path is not right */
	LAUNCH_PROVEN,
};

enum launch_step {
	LAUNCH_WAIT,	 /* ask again */
	LAUNCH_CONTINUE, /* take it into service */
	LAUNCH_ABANDON,	 /* have the group make another one */
	LAUNCH_LATER,	 /* our time is over, the hook's is not: the event comes again */
};

/*
 * @time_left: of this invocation, for another try. An instance that answers
 * may still be starting, so it is broken for good only at the end.
 */
enum launch_step lifecycle_launch(enum launch_state state, bool time_left);

#endif
