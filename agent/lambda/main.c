/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * bootstrap: one program for all functions; _HANDLER says which this one is.
 * It reads the environment, makes the AWS client, and then works off events
 * until the service ends it.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/utf8.h"
#include "functions.h"
#include "job.h"
#include "loop.h"
#include "runtime.h"

struct function {
	const char *name;
	int (*run)(struct job *job);
};

static const struct function functions[] = {
#define X(name, function) { name, function },
	LAMBDA_FUNCTIONS(X)
#undef X
};

/* What lives as long as the process. */
struct process {
	struct setup setup;
	struct loop *loop;
	struct aws_client *client;
	int timer;
};

static void client_ready(void *ctx, int fd, uint32_t events)
{
	struct process *process = ctx;

	aws_client_ready(process->client, fd, events);
}

static void client_wake(void *ctx)
{
	struct process *process = ctx;

	aws_client_wake(process->client);
}

static int watch(void *ctx, int fd, uint32_t events)
{
	struct process *process = ctx;

	return loop_watch(process->loop, fd, events, client_ready, process);
}

static void arm(void *ctx, int64_t delay_ms)
{
	struct process *process = ctx;

	loop_timer_once(process->timer, delay_ms);
}

static int begin(struct process *process, struct err *err)
{
	const struct aws_loop loop = { .ctx = process, .watch = watch, .arm = arm };
	/* credentials are in the environment, and there is no IMDS where functions run */
	const struct aws_options options = { .no_imds = true, .in_flight = 8, .queue = 512 };
	int ret = setup_read(&process->setup, err);

	if (ret)
		return ret;
	process->loop = loop_new();
	process->timer = process->loop ? loop_timer(process->loop, client_wake, process) : -ENOMEM;
	ret = process->timer < 0 ? process->timer :
				   aws_client_new(&process->client, &loop, &options);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "the AWS client cannot be made: %s",
			       strerror(-ret));
	return 0;
}

static const char *type_of(const struct err *err)
{
	switch (err->status) {
	case STATUS_USAGE:
		return "BadEvent";
	case STATUS_CONFIG:
		return "BadConfiguration";
	default:
		return "Failed";
	}
}

/* Ends the event with what the job has to answer. */
static int finish(struct runtime *runtime, const struct runtime_event *event, struct job *job,
		  struct err *err)
{
	char *text;
	int ret;

	if (job_failure(job)) {
		say(LEVEL_ERROR, NULL, "failed: %s", job->err.text);
		say_everywhere(job->setup, &(struct gauge){ "FunctionErrorCount", "Count", 1 });
		return runtime_fail(runtime, event, type_of(&job->err), job->err.text, err);
	}
	text = cJSON_PrintUnformatted(job->answer);
	if (text)
		aws_utf8_mend(text);
	say(LEVEL_DEBUG, NULL, "done");
	ret = runtime_answer(runtime, event, text ? text : "{}", err);
	cJSON_free(text);
	return ret;
}

static int work(struct runtime *runtime, struct process *process, const struct function *function,
		struct err *err)
{
	struct runtime_event event;
	struct job job = { .setup = &process->setup,
			   .loop = process->loop,
			   .client = process->client };
	cJSON *tree;
	int ret = runtime_next(runtime, &event, err);

	if (ret)
		return ret;
	say_begin(process->setup.level, function->name, event.request);
	job.end_ms = loop_monotonic_ms() + event.deadline_ms - loop_wall_ms() - JOB_MARGIN_MS;
	tree = cJSON_Parse(event.body);
	job.event = tree;
	job.answer = cJSON_CreateObject();
	if (!cJSON_IsObject(tree)) {
		job_fail(&job, STATUS_USAGE, EINVAL, "the event is no JSON object: %.80s",
			 event.body);
	} else {
		ret = function->run(&job);
		if (ret && !job.err.status)
			job_fail(&job, STATUS_SYSTEM, -ret, "%s", strerror(-ret));
	}
	ret = finish(runtime, &event, &job, err);
	cJSON_Delete(job.answer);
	cJSON_Delete(tree);
	return ret;
}

static const struct function *find_function(struct err *err)
{
	const char *name = getenv("_HANDLER");

	for (unsigned int i = 0; name && i < sizeof(functions) / sizeof(*functions); i++) {
		if (!strcmp(name, functions[i].name))
			return &functions[i];
	}
	err_set(err, STATUS_CONFIG, ENOENT, "handler %.60s: there is no such function",
		name ? name : "(none)");
	return NULL;
}

int main(void)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	const struct function *function;
	struct process process = { 0 };
	struct runtime *runtime;
	struct err err = { 0 };

	if (!api) {
		fprintf(stderr,
			"bootstrap: runs in AWS Lambda: AWS_LAMBDA_RUNTIME_API is not set\n");
		return STATUS_USAGE;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	runtime = runtime_open(api, &err);
	if (!runtime)
		goto out;
	function = find_function(&err);
	if (!function || begin(&process, &err)) {
		struct err ignored = { 0 };

		runtime_fail_init(runtime, "BadConfiguration", err.text, &ignored);
		goto out;
	}
	while (!work(runtime, &process, function, &err))
		;
out:
	fprintf(stderr, "bootstrap: %s\n", err.text);
	aws_client_free(process.client);
	loop_free(process.loop);
	setup_free(&process.setup);
	runtime_close(runtime);
	return err.status;
}
