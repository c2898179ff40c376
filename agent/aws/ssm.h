/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Systems Manager: shell commands on instances, and parameters. */
#ifndef NATXDP_AWS_SSM_H
#define NATXDP_AWS_SSM_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

struct aws_command {
	const char *id;
	const char *status;
};

struct aws_invocation {
	const char *status; /* "Pending", "InProgress", "Success", "Failed", "TimedOut", ... */
	int exit_code;	    /* -1 until it ended */
	const char *output; /* the API keeps 24,000 characters */
	const char *errors;
};

struct aws_parameter {
	const char *name;
	const char *value;
	int64_t version;
};

struct aws_parameter_version {
	int64_t version;
};

/* Runs @lines of shell by AWS-RunShellScript on @count instances. -> struct aws_command */
int64_t aws_ssm_send_command(struct aws_client *client, unsigned int count,
			     const char *const *instances, unsigned int line_count,
			     const char *const *lines, unsigned int timeout_s,
			     const struct aws_caller *caller);
struct aws_document_parameter {
	const char *name;
	const char *value;
};

/* A document to run, by its name. */
struct aws_document {
	const char *name;
	unsigned int parameter_count;
	const struct aws_document_parameter *parameters;
	unsigned int timeout_s; /* to reach the instance, 30 at the least; 0: an hour */
	const char *bucket;	/* where the instance keeps its output; NULL: nowhere */
	const char *prefix;
};

/* Has @count instances run @document. -> struct aws_command */
int64_t aws_ssm_send_document(struct aws_client *client, const struct aws_document *document,
			      unsigned int count, const char *const *instances,
			      const struct aws_caller *caller);
/* code "InvocationDoesNotExist": not yet. -> struct aws_invocation */
int64_t aws_ssm_get_command_invocation(struct aws_client *client, const char *command,
				       const char *instance, const struct aws_caller *caller);
/* Secure ones are decrypted. code "ParameterNotFound". -> struct aws_parameter */
int64_t aws_ssm_get_parameter(struct aws_client *client, const char *name,
			      const struct aws_caller *caller);
/* A new parameter becomes a String. -> struct aws_parameter_version */
int64_t aws_ssm_put_parameter(struct aws_client *client, const char *name, const char *value,
			      bool overwrite, const struct aws_caller *caller);

#endif
