/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What somebody does to the NAT while traffic runs, and to the model with it. */
#ifndef SELFTESTS_OPERATOR_H
#define SELFTESTS_OPERATOR_H

#include "traffic.h"

/* Block another inside host than before; all its flows end. */
void operator_blocks(struct box *box, struct model *m, struct traffic *t);
/* Begin or end the draining of an external address. */
void operator_drains(struct box *box, struct model *m, struct traffic *t);

#endif
