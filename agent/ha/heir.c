/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "heir.h"

unsigned int heir_cost(unsigned int home, unsigned int load, unsigned int node, unsigned int nodes)
{
	if (node == home)
		return 0;
	if (home >= nodes)
		home = 0;
	return 1 + load * nodes + (node + nodes - home) % nodes;
}
