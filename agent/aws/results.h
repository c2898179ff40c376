/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The parsers that the table of calls names, and what they are made of. */
#ifndef NATXDP_AWS_RESULTS_H
#define NATXDP_AWS_RESULTS_H

#include <stddef.h>

#include "arena.h"
#include "client.h"
#include "doc.h"
#include "ec2.h"

int aws_parse_nothing(const cJSON *answer, struct aws_result *result);
int aws_parse_log_events(const cJSON *answer, struct aws_result *result);
int aws_parse_instances(const cJSON *answer, struct aws_result *result);
int aws_parse_instance_status(const cJSON *answer, struct aws_result *result);
int aws_parse_route_tables(const cJSON *answer, struct aws_result *result);
int aws_parse_addresses(const cJSON *answer, struct aws_result *result);
int aws_parse_association(const cJSON *answer, struct aws_result *result);
int aws_parse_interfaces(const cJSON *answer, struct aws_result *result);
int aws_parse_target_health(const cJSON *answer, struct aws_result *result);
int aws_parse_listeners(const cJSON *answer, struct aws_result *result);
int aws_parse_groups(const cJSON *answer, struct aws_result *result);
int aws_parse_command(const cJSON *answer, struct aws_result *result);
int aws_parse_invocation(const cJSON *answer, struct aws_result *result);
int aws_parse_parameter(const cJSON *answer, struct aws_result *result);
int aws_parse_parameter_version(const cJSON *answer, struct aws_result *result);
int aws_parse_item(const cJSON *answer, struct aws_result *result);

/* Zeroed memory that lives as long as the result; NULL: none left. */
void *aws_result_alloc(struct aws_result *result, size_t count, size_t size);

/*
 * Fills one element of an array from one of a list. Returns 0 or -errno.
 */
typedef int (*aws_parse_one)(const cJSON *from, void *to, struct aws_result *result);

/* Allocates and fills an array from @list (NULL: empty). Returns 0 or -errno. */
int aws_parse_list(const cJSON *list, size_t size, aws_parse_one parse, const void *items,
		   size_t *count, struct aws_result *result);

/* The list of tags @name, whatever case its members have. */
int aws_parse_tags(const cJSON *object, const char *name, const struct aws_tag **tags,
		   size_t *count, struct aws_result *result);

/* Reads an error of the service into @code and @message; both "" if it is none. */
void aws_parse_error(enum aws_protocol protocol, const cJSON *answer, char *code, size_t code_size,
		     char *message, size_t message_size);

/* Turns an answer into a tree; NULL: it is none of this protocol. */
cJSON *aws_parse_answer(enum aws_protocol protocol, const char *text, size_t length);

/*
 * Parses the answer of a call that went well into result->output, which lives
 * as long as *@tree and result->arena. Returns 0, -EBADMSG or -ENOMEM.
 */
int aws_parse_result(enum aws_op op, const char *text, size_t length, cJSON **tree,
		     struct aws_result *result);

#endif
