/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How the NAT is configured for a run of random traffic. */
#ifndef SELFTESTS_SCENARIO_H
#define SELFTESTS_SCENARIO_H

#include "box.h"

enum { SCENARIOS = 24 };

/* From a table; beyond that every seed makes its own combination. */
struct box_options scenario(unsigned int seed);

#endif
