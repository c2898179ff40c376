/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the model expects of a packet that no flow knows: may it open one? */
#ifndef SELFTESTS_FRESH_H
#define SELFTESTS_FRESH_H

#include "forecast.h"

void fresh_forecast(struct forecasts *all);

bool fresh_is_multicast(uint32_t a);

/* Are its ends such as no router forwards? */
bool fresh_is_forged(const struct model *m, const struct wire *w);

#endif
