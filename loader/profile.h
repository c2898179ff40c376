/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The profiles: what the keys that nobody has set are, and which values do
 * not go together.
 */
#ifndef NATXDP_PROFILE_H
#define NATXDP_PROFILE_H

#include "values.h"

struct err;
struct setting;
struct settings;

/* The default of a key as text. */
const char *profile_default(enum profile profile, const struct setting *setting);

/* Call once when all values are there; the order in which they came does not matter. */
void profile_apply(struct settings *settings);

/* Contradictions between mapping, filtering and hairpin. */
int profile_check(const struct settings *settings, struct err *err);

/* The part of the configuration that profiles are about. */
void profile_configure(struct natxdp_config *config, const struct settings *settings);

/* The name of the profile that behaves as @config does, or "custom". */
const char *profile_of(const struct natxdp_config *config);

#endif
