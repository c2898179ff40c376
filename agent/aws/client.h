/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The AWS client: queues, signs, sends, repeats and times out calls, and hands
 * the parsed answers back. Nothing in it blocks. The calls themselves are in
 * the headers of the services (cloudwatch.h, logs.h, ec2.h, ...).
 */
#ifndef NATXDP_AWS_CLIENT_H
#define NATXDP_AWS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "loop.h"

struct aws_arena;
struct aws_body;
struct aws_client;
struct aws_imds;

enum aws_limits {
	AWS_REGION_MAX = 32,
	AWS_CODE_MAX = 80,
	AWS_MESSAGE_MAX = 320,
	AWS_REQUEST_ID_MAX = 64,
};

/* What a member that is 0 or NULL means stands beside it. Strings are copied. */
struct aws_options {
	const char *region;		    /* AWS_REGION, AWS_DEFAULT_REGION, then the IMDS */
	const char *endpoint[AWS_SERVICES]; /* URL, e.g. of a VPC endpoint: endpoint_all */
	const char *endpoint_all;  /* AWS_ENDPOINT_URL, then the service's public endpoint */
	const char *imds_endpoint; /* AWS_EC2_METADATA_SERVICE_ENDPOINT, then 169.254.169.254 */
	const char *ca_file;	   /* AWS_CA_BUNDLE, then the system's */
	bool fips;		   /* AWS_USE_FIPS_ENDPOINT */
	bool dualstack;		   /* AWS_USE_DUALSTACK_ENDPOINT */
	bool no_imds;		   /* AWS_EC2_METADATA_DISABLED */
	uint32_t connect_ms;	   /* 2000: to connect, TLS included */
	uint32_t attempt_ms;	   /* 10000: one try */
	uint32_t budget_ms;	   /* 30000: a call with its retries and its time in the queue */
	uint32_t attempts;	   /* 4: tries of a call */
	uint32_t backoff_ms;	   /* 100: the first delay before a retry is up to this */
	uint32_t backoff_max_ms;   /* 20000 */
	uint32_t in_flight;	   /* 4: calls at a time, per service */
	uint32_t queue;		   /* 64: calls that wait, per service */
	uint32_t queue_bytes;	   /* 4 MiB: of the bodies of those calls, per service */
	uint32_t answer_max;	   /* 4 MiB: bytes of an answer */
};

/* How a call ended. */
enum aws_fault {
	AWS_OK,
	AWS_REFUSED,	    /* the service said no: code and message say why */
	AWS_THROTTLED,	    /* too many calls, and the retries are used up */
	AWS_UNAVAILABLE,    /* 5xx */
	AWS_UNREACHABLE,    /* no connection, or it broke */
	AWS_TIMED_OUT,	    /* the budget is used up */
	AWS_BAD_ANSWER,	    /* not what the service should say, or too long */
	AWS_NO_CREDENTIALS, /* none found, or no region */
	AWS_FAULTS
};

const char *aws_fault_name(enum aws_fault fault);

/* Valid until the callback that gets it returns. */
struct aws_result {
	enum aws_op op;
	enum aws_fault fault;
	bool maybe_done; /* failed, but the service may have done it */
	int status;	 /* of HTTP; 0: there was no answer */
	unsigned int attempts;
	int64_t duration_ms;	       /* from the call on */
	char code[AWS_CODE_MAX];       /* "" or the error code of the service */
	char message[AWS_MESSAGE_MAX]; /* for people; "" if AWS_OK */
	char request_id[AWS_REQUEST_ID_MAX];
	/* If AWS_OK: the struct that the header of the call names, or NULL. */
	const void *output;
	struct aws_arena *arena; /* holds output; private to parsers */
};

/*
 * Called exactly once a call, from aws_client_ready() or aws_client_wake(),
 * unless the call was cancelled or its client freed. May make and cancel
 * calls, but not free the client.
 */
typedef void (*aws_done)(void *ctx, const struct aws_result *result);

/* Whom to tell, and how patient they are. */
struct aws_caller {
	aws_done done;
	void *ctx;
	uint32_t budget_ms; /* 0: the client's */
	uint32_t attempts;  /* 0: the client's */
};

/* Counted since aws_client_new(); gauges are marked. */
struct aws_stats {
	uint64_t calls[AWS_SERVICES]; /* accepted */
	uint64_t ended[AWS_SERVICES][AWS_FAULTS];
	uint64_t attempts;
	uint64_t retries;
	uint64_t throttles;	 /* answers that said so */
	uint64_t retries_denied; /* the quota of retries was used up */
	uint64_t queue_full;	 /* calls refused with -EAGAIN */
	uint64_t credentials_loaded;
	uint64_t credentials_failed;
	int64_t clock_skew_ms; /* gauge: added to our clock when signing */
	uint32_t in_flight;    /* gauge */
	uint32_t queued;       /* gauge: waiting for a slot, credentials or a retry */
};

/*
 * Both arguments are copied. Returns 0 and *@client, or -errno. Makes no call
 * and needs no network: region and credentials are looked for by the first
 * call that needs them.
 */
int aws_client_new(struct aws_client **client, const struct aws_loop *loop,
		   const struct aws_options *options);

/* Drops what is under way; no callback is called. NULL is fine. */
void aws_client_free(struct aws_client *client);

/* For the loop: @fd has @events (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP). */
void aws_client_ready(struct aws_client *client, int fd, uint32_t events);

/* For the loop: the timer has fired. */
void aws_client_wake(struct aws_client *client);

/*
 * Makes a call; the functions of the services end here. Empties @body (takes
 * what it holds) in any case. Returns the positive number of the call, or
 * -EAGAIN if too many of its service wait, -EMSGSIZE if the body ran over its
 * limit, -ENOMEM.
 */
int64_t aws_call(struct aws_client *client, enum aws_op op, struct aws_body *body,
		 const struct aws_caller *caller);

/* The call's callback will not be called. The service may still do it. */
void aws_cancel(struct aws_client *client, int64_t call);

/* The instance metadata service, with the client's loop and timers. */
struct aws_imds *aws_client_imds(struct aws_client *client);

/* "" until known. */
const char *aws_client_region(const struct aws_client *client);

void aws_client_stats(const struct aws_client *client, struct aws_stats *stats);

#endif
