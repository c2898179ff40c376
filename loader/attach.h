/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Putting XDP programs on interfaces, by links that can be pinned. */
#ifndef NATXDP_ATTACH_H
#define NATXDP_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "nat.h"
#include "values.h"

struct err;
struct instance;
struct plan;

struct attached {
	uint32_t program; /* id, 0 for none */
	bool generic;
};

/* What is on an interface now, at TC at our place there. Returns 0 or -errno. */
int attach_query(enum hook hook, uint32_t ifindex, struct attached *attached);

/* Which program of the NAT belongs on plan->dev[@dev]. */
enum nat_program attach_program_for(const struct plan *plan, unsigned int dev);

/* Refuses if any interface of @plan has a program at the hook, and names it. */
int attach_check_free(enum hook hook, const struct plan *plan, struct err *err);

/* As attach_check_free(), but the links of @instance are not in the way. */
int attach_check_free_but(enum hook hook, const struct plan *plan, const struct instance *instance,
			  struct err *err);

/* Attaches and pins one link for each interface. The NAT should be inactive. */
int attach_all(const struct nat *nat, const struct plan *plan, struct err *err);

/* Gives the links of @instance their programs, and makes those that are dead anew. */
int attach_back_all(const struct nat *nat, const struct plan *plan, const struct instance *instance,
		    struct err *err);

/* Gives interface @i of @plan the program @program[i], or leaves all as they were. */
int attach_swap_all(enum hook hook, const struct plan *plan, const int program[], struct err *err);

/*
 * Gives every interface its program of @nat, at the hook of that one, in the
 * place of the program that @instance has there; or leaves all as they were.
 * Behind a dispatcher it may leave some with the new program, over the same maps.
 */
int attach_replace_all(const struct nat *nat, const struct plan *plan,
		       const struct instance *instance, struct err *err);

#endif
