/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ssm.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "body.h"
#include "results.h"

/* Takes @parameters. */
static int64_t send(struct aws_client *client, const struct aws_document *document,
		    unsigned int count, const char *const *instances, cJSON *parameters,
		    const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "DocumentName", document->name);
	cJSON_AddItemToObject(input, "InstanceIds", cJSON_CreateStringArray(instances, (int)count));
	cJSON_AddItemToObject(input, "Parameters", parameters);
	if (document->timeout_s)
		cJSON_AddNumberToObject(input, "TimeoutSeconds", document->timeout_s);
	if (document->bucket)
		cJSON_AddStringToObject(input, "OutputS3BucketName", document->bucket);
	if (document->prefix)
		cJSON_AddStringToObject(input, "OutputS3KeyPrefix", document->prefix);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_SendCommand, &body, caller);
}

int64_t aws_ssm_send_command(struct aws_client *client, unsigned int count,
			     const char *const *instances, unsigned int line_count,
			     const char *const *lines, unsigned int timeout_s,
			     const struct aws_caller *caller)
{
	const struct aws_document document = { .name = "AWS-RunShellScript",
					       .timeout_s = timeout_s };
	cJSON *parameters = cJSON_CreateObject();

	cJSON_AddItemToObject(parameters, "commands",
			      cJSON_CreateStringArray(lines, (int)line_count));
	return send(client, &document, count, instances, parameters, caller);
}

int64_t aws_ssm_send_document(struct aws_client *client, const struct aws_document *document,
			      unsigned int count, const char *const *instances,
			      const struct aws_caller *caller)
{
	cJSON *parameters = cJSON_CreateObject();

	for (unsigned int i = 0; i < document->parameter_count; i++)
		cJSON_AddItemToObject(parameters, document->parameters[i].name,
				      cJSON_CreateStringArray(&document->parameters[i].value, 1));
	return send(client, document, count, instances, parameters, caller);
}

int64_t aws_ssm_get_command_invocation(struct aws_client *client, const char *command,
				       const char *instance, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "CommandId", command);
	cJSON_AddStringToObject(input, "InstanceId", instance);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_GetCommandInvocation, &body, caller);
}

int64_t aws_ssm_get_parameter(struct aws_client *client, const char *name,
			      const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "Name", name);
	cJSON_AddBoolToObject(input, "WithDecryption", true);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_GetParameter, &body, caller);
}

int64_t aws_ssm_put_parameter(struct aws_client *client, const char *name, const char *value,
			      bool overwrite, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "Name", name);
	cJSON_AddStringToObject(input, "Value", value);
	cJSON_AddStringToObject(input, "Type", "String");
	cJSON_AddBoolToObject(input, "Overwrite", overwrite);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_PutParameter, &body, caller);
}

int aws_parse_command(const cJSON *answer, struct aws_result *result)
{
	struct aws_command *command = aws_result_alloc(result, 1, sizeof(*command));
	const cJSON *from = aws_doc_member(answer, "Command");

	if (!command)
		return -ENOMEM;
	command->id = aws_doc_text(from, "CommandId");
	command->status = aws_doc_text(from, "Status");
	result->output = command;
	return *command->id ? 0 : -EBADMSG;
}

int aws_parse_invocation(const cJSON *answer, struct aws_result *result)
{
	struct aws_invocation *invocation = aws_result_alloc(result, 1, sizeof(*invocation));
	double exit_code = aws_doc_number(answer, "ResponseCode");

	if (!invocation)
		return -ENOMEM;
	invocation->status = aws_doc_text(answer, "Status");
	invocation->exit_code = exit_code >= 0 && exit_code <= 255 ? (int)exit_code : -1;
	invocation->output = aws_doc_text(answer, "StandardOutputContent");
	invocation->errors = aws_doc_text(answer, "StandardErrorContent");
	result->output = invocation;
	return *invocation->status ? 0 : -EBADMSG;
}

static int64_t version_of(const cJSON *object)
{
	return aws_doc_count(object, "Version");
}

int aws_parse_parameter(const cJSON *answer, struct aws_result *result)
{
	struct aws_parameter *parameter = aws_result_alloc(result, 1, sizeof(*parameter));
	const cJSON *from = aws_doc_member(answer, "Parameter");

	if (!parameter)
		return -ENOMEM;
	if (!from)
		return -EBADMSG;
	parameter->name = aws_doc_text(from, "Name");
	parameter->value = aws_doc_text(from, "Value");
	parameter->version = version_of(from);
	result->output = parameter;
	return 0;
}

int aws_parse_parameter_version(const cJSON *answer, struct aws_result *result)
{
	struct aws_parameter_version *version = aws_result_alloc(result, 1, sizeof(*version));

	if (!version)
		return -ENOMEM;
	version->version = version_of(answer);
	result->output = version;
	return version->version ? 0 : -EBADMSG;
}
