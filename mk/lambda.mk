# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The Lambda functions: one program, `bootstrap`, for each architecture, with all
# libraries but libc in it, and a zip that is the same for the same input.

LAMBDA := build/lambda
LAMBDA_SOURCES := $(wildcard agent/lambda/*.c agent/aws/*.c) $(LAMBDA_SHARED:%=agent/ha/%.c) \
	agent/loop.c loader/err.c
LAMBDA_CFLAGS := -std=gnu11 $(WARNINGS) -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-D_GNU_SOURCE -Iinclude -Iloader -Iagent -Iagent/lambda -Os -g0 -ffunction-sections -fdata-sections \
	-ffile-prefix-map=$(CURDIR)=.
LAMBDA_LIBS := -lcurl -lssl -lcrypto -lexpat -lcjson -lz

# name of AWS, triplet, compiler
lambda_cc_x86_64 := x86_64-linux-gnu-gcc
lambda_cc_arm64 = $(LAMBDA_ARM64_CC)
lambda_host_x86_64 := x86_64-linux-gnu
lambda_host_arm64 := aarch64-linux-gnu
LAMBDA_ARM64_CC := aarch64-linux-gnu-gcc --sysroot=$(CURDIR)/build/arm64/sysroot

define lambda_rules
$(LAMBDA)/$(1)/libs/lib/libcjson.a: scripts/lambda_libs.sh $(2)
	@mkdir -p $$(@D)
	$$(call say,LIBS,$$(@D))
	$$(Q)scripts/lambda_libs.sh $(LAMBDA)/$(1)/libs $$(lambda_host_$(1)) $$(lambda_cc_$(1)) 2>$(LAMBDA)/$(1)/libs.log || \
		{ tail -n 20 $(LAMBDA)/$(1)/libs.log; exit 1; }

$(LAMBDA)/$(1)/%.o: %.c $(LAMBDA)/$(1)/libs/lib/libcjson.a
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)
	$$(Q)$$(lambda_cc_$(1)) $(LAMBDA_CFLAGS) -isystem $(LAMBDA)/$(1)/libs/include -MMD -MP -c $$< -o $$@

$(LAMBDA)/$(1)/bootstrap: $(LAMBDA_SOURCES:%.c=$(LAMBDA)/$(1)/%.o)
	$$(call say,LINK,$$@)
	$$(Q)$$(lambda_cc_$(1)) -s -Wl,--gc-sections -Wl,-z,relro,-z,now -o $$@ $$^ -L$(LAMBDA)/$(1)/libs/lib \
		-Wl,-Bstatic $(LAMBDA_LIBS) -Wl,-Bdynamic -lm

$(LAMBDA)/natxdp-$(1).zip: $(LAMBDA)/$(1)/bootstrap scripts/zip.py
	$$(call say,ZIP,$$@)
	$$(Q)scripts/zip.py $$@ $$<

-include $(LAMBDA_SOURCES:%.c=$(LAMBDA)/$(1)/%.d)
endef

$(eval $(call lambda_rules,x86_64,))
$(eval $(call lambda_rules,arm64,build/arm64/cross.mk))

.PHONY: lambda-zips
lambda-zips: $(LAMBDA)/natxdp-x86_64.zip $(LAMBDA)/natxdp-arm64.zip
	@:
