/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "calls.h"

#include "results.h"

const struct aws_service_info aws_services[AWS_SERVICES] = {
#define X(name, protocol, version, prefix) [AWS_##name] = { #name, protocol, version, prefix },
	AWS_SERVICE_LIST(X)
#undef X
};

const struct aws_call_info aws_calls[AWS_OPS] = {
#define X(service, action, repeat, parser, iam) \
	[AWS_OP_##action] = { AWS_##service, #action, repeat, aws_parse_##parser, iam },
	AWS_CALL_LIST(X)
#undef X
};
