# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# How everything is built. Sources are found by wildcard: a new file needs no
# line here.

# BPF objects are the same for all architectures; user space has a place for each.
MACHINE := $(patsubst x86_64,amd64,$(patsubst aarch64,arm64,$(shell uname -m)))
ARCH ?= $(MACHINE)
OUT := $(if $(filter $(MACHINE),$(ARCH)),build,build/$(ARCH))

include build/config.mk
ifneq ($(OUT),build)
include $(OUT)/cross.mk
endif

build/config.mk: scripts/probe.sh
	@mkdir -p $(@D)
	$(call say,PROBE,$@)
	$(Q)scripts/probe.sh >$@.tmp
	@mv $@.tmp $@

build/%/cross.mk: scripts/cross.sh scripts/probe.sh scripts/packages.txt
	@mkdir -p $(@D)
	$(call say,SYSROOT,$@)
	$(Q)scripts/cross.sh $* >$@.tmp
	@mv $@.tmp $@

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

WARNINGS := -Wall -Wextra -Werror
CFLAGS ?= -O2 -g
LOCAL_CFLAGS := -std=gnu11 $(WARNINGS) -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-D_GNU_SOURCE -Iinclude -Iloader -Iagent -Ibuild -Ibuild/bpf -Ibuild/selftests/bench $(LIB_CFLAGS)
# The kernel dictates what BPF programs and callbacks are passed, used or not.
BPF_CFLAGS := -target bpf -mcpu=v3 -g -O2 $(WARNINGS) -Wno-unused-parameter \
	-Iinclude -Ibpf $(BPF_SYSTEM_INCLUDE)

# BPF objects and what is made of them
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SOURCES:%.bpf.c=build/%.skel.h)
TEST_SKELETONS := $(patsubst %.bpf.c,build/%.skel.h,$(wildcard selftests/*/*.bpf.c))

# user space
LOADER_OBJECTS := $(patsubst %.c,$(OUT)/%.o,$(filter-out loader/main.c,$(wildcard loader/*.c)))
AWS_OBJECTS := $(patsubst %.c,build/%.o,$(wildcard agent/aws/*.c))
AGENT_OBJECTS := $(patsubst %.c,build/%.o,$(filter-out agent/main.c,$(wildcard agent/*.c agent/ha/*.c)))
PROGRAMS := $(OUT)/natxdp $(if $(filter build,$(OUT)),build/natxdpd)

# tests: in unit and prog every test_NAME.c is a program NAME, in bench every
# bench_NAME.c, and the other files are shared by those of their directory; in
# net and vm every file is a program of its own. In vpc, tcp_load has a second
# file. In aws, driver.c is one beside the tests; in fuzz every file is a
# parser's fuzz target.
c_sources = $(filter-out %.bpf.c,$(wildcard selftests/$(1)/*.c))
test_sources = $(filter selftests/$(1)/test_%,$(call c_sources,$(1)))
test_programs = $(patsubst selftests/$(1)/test_%.c,$(OUT)/selftests/$(1)/%,$(call test_sources,$(1)))
shared_objects = $(patsubst %.c,$(OUT)/%.o,$(filter-out selftests/$(1)/test_%,$(call c_sources,$(1))))
# those of the agent, which is not built for other architectures
AGENT_UNITS := agent channel failover members policy session shadow sync
UNIT_PROGRAMS := $(if $(filter build,$(OUT)),$(call test_programs,unit),$(filter-out \
	$(addprefix %/,$(AGENT_UNITS)),$(call test_programs,unit)))
UNIT_SHARED := $(if $(filter build,$(OUT)),$(call shared_objects,unit),$(filter-out \
	%/fleet.o,$(call shared_objects,unit)))
PROG_PROGRAMS := $(call test_programs,prog)
NET_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(call c_sources,net))
VM_PROGRAMS := $(patsubst %.c,$(OUT)/%,$(call c_sources,vm))
VPC_PROGRAMS := $(addprefix $(OUT)/selftests/vpc/,tcp_load tcp_echo udp_probe)
AWS_TEST_PROGRAMS := $(patsubst selftests/aws/test_%.c,build/selftests/aws/%,$(call test_sources,aws))
AWS_PROGRAMS := $(AWS_TEST_PROGRAMS) \
	$(addprefix build/selftests/aws/,driver driver-asan policy_node)
FUZZ_PROGRAMS := $(patsubst selftests/%.c,build/selftests/%,$(call c_sources,fuzz))
BENCH_SOURCES := $(wildcard selftests/bench/bench_*.c)
BENCH_SHARED := $(patsubst %.c,$(OUT)/%.o,$(filter-out $(BENCH_SOURCES),$(call c_sources,bench)))
BENCH_PROGRAMS := $(BENCH_SOURCES:selftests/bench/bench_%.c=$(OUT)/selftests/bench/%)
AWS_SANITIZED := $(patsubst %.c,build/sanitized/%.o,$(wildcard agent/aws/*.c))

USER_OBJECTS := $(patsubst %.c,$(OUT)/%.o,$(wildcard loader/*.c agent/*.c agent/aws/*.c agent/ha/*.c) \
	$(foreach ring,unit prog net vm vpc aws bench,$(call c_sources,$(ring))))

# natxdp alone is built for other architectures
AGENT_LIBRARIES := $(if $(filter build,$(OUT)),build/libnatxdp-aws.a)

.PHONY: programs tests units benches vpctools install
programs: $(SKELETONS) $(OUT)/libnatxdp.a $(AGENT_LIBRARIES) $(PROGRAMS)
	@:
tests: $(TEST_SKELETONS) $(UNIT_PROGRAMS) $(PROG_PROGRAMS) $(NET_PROGRAMS) $(VM_PROGRAMS) \
		$(VPC_PROGRAMS) $(AWS_PROGRAMS) $(FUZZ_PROGRAMS) build/natxdpd-asan \
		build/lambda/x86_64/bootstrap
	@:
units: $(UNIT_PROGRAMS)
	@NATXDP_BUILD=$(CURDIR)/$(OUT) NATXDP_EMULATOR="$(EMULATOR)" selftests/run \
		$(patsubst $(OUT)/selftests/%,%,$(UNIT_PROGRAMS))
vpctools: $(TEST_SKELETONS) $(VPC_PROGRAMS) $(addprefix $(OUT)/selftests/net/,xdp_pass udp_echo)
	@:
benches: $(TEST_SKELETONS) $(BENCH_PROGRAMS) $(NET_PROGRAMS)
	@:

# Intermediate files stay, so that nothing is built twice.
.SECONDARY:

# The linker in bpftool keeps BTF and drops DWARF, so nothing has to be stripped.
build/%.bpf.o: %.bpf.c build/config.mk
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $(@:.o=.tmp.o)
	$(Q)$(BPFTOOL) gen object $@ $(@:.o=.tmp.o)
	@rm -f $(@:.o=.tmp.o)

build/%.skel.h: build/%.bpf.o
	$(call say,GEN,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@

# Skeletons must be there before the first look for what includes them; from
# then on the .d files say who depends on which.
$(USER_OBJECTS): | $(SKELETONS) $(TEST_SKELETONS)

$(OUT)/%.o: %.c $(OUT)/$(if $(filter build,$(OUT)),config,cross).mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(LOCAL_CFLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/libnatxdp.a: $(LOADER_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

build/libnatxdp-aws.a: $(AWS_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# What the Lambda functions decide, for unit tests; the functions have a build of their own.
# SHARED: of agent/ha, the rules that the agents have, too.
LAMBDA_SHARED := heir lease_item weigh
$(OUT)/libnatxdp-decide.a: $(patsubst %,$(OUT)/agent/lambda/%.o,evidence lifecycle takeover traffic) \
		$(LAMBDA_SHARED:%=$(OUT)/agent/ha/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

build/libnatxdp-agent.a: $(AGENT_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

link = $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(1) $(LIB_LIBS)
# The agent's library uses the two others.
AGENT_ARCHIVES := $(if $(filter build,$(OUT)),build/libnatxdp-agent.a build/libnatxdp-aws.a) \
	$(OUT)/libnatxdp.a

$(OUT)/natxdp: $(OUT)/loader/main.o $(OUT)/libnatxdp.a
	$(call say,LINK,$@)
	$(Q)$(call link)

build/natxdpd: build/agent/main.o $(AGENT_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(call link,$(AGENT_LIBS) $(AWS_LIBS) -lm)

$(UNIT_PROGRAMS): $(OUT)/selftests/unit/%: $(OUT)/selftests/unit/test_%.o \
		$(UNIT_SHARED) $(OUT)/libnatxdp-decide.a $(AGENT_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(call link,-lcmocka $(if $(filter build,$(OUT)),$(AGENT_LIBS) $(AWS_LIBS)) -lm)

$(PROG_PROGRAMS): $(OUT)/selftests/prog/%: $(OUT)/selftests/prog/test_%.o \
		$(call shared_objects,prog) $(OUT)/libnatxdp.a
	$(call say,LINK,$@)
	$(Q)$(call link,-lcmocka)

# A program of the tests that is an agent in part.
AGENT_NODE := build/selftests/net/sync_node
$(AGENT_NODE): %: %.o $(AGENT_ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(call link,$(AGENT_LIBS) $(AWS_LIBS) -lm)

$(filter-out $(AGENT_NODE),$(NET_PROGRAMS) $(VM_PROGRAMS)): %: %.o $(OUT)/libnatxdp.a
	$(call say,LINK,$@)
	$(Q)$(call link,-lpthread)

$(OUT)/selftests/vpc/tcp_load: $(OUT)/selftests/vpc/tcp_report.o

$(VPC_PROGRAMS): %: %.o
	$(call say,LINK,$@)
	$(Q)$(call link)

$(BENCH_PROGRAMS): $(OUT)/selftests/bench/%: $(OUT)/selftests/bench/bench_%.o \
		$(BENCH_SHARED) $(OUT)/libnatxdp.a
	$(call say,LINK,$@)
	$(Q)$(call link,-lpthread)

aws_link = $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(1) $(AWS_LIBS) -lm

$(AWS_TEST_PROGRAMS): build/selftests/aws/%: build/selftests/aws/test_%.o build/libnatxdp-aws.a
	$(call say,LINK,$@)
	$(Q)$(call aws_link,-lcmocka)

AWS_DRIVER := $(addprefix selftests/aws/,driver.c driver_args.c driver_calls.c driver_ec2.c \
	driver_output.c epoll_loop.c)

build/selftests/aws/driver: $(AWS_DRIVER:%.c=build/%.o) build/libnatxdp-aws.a
	$(call say,LINK,$@)
	$(Q)$(call aws_link)

# What parses outside bytes, once more with sanitizers and for libFuzzer.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZED := build/sanitized

$(SANITIZED)/%.o: %.c build/config.mk
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CLANG) $(LOCAL_CFLAGS) $(CPPFLAGS) -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link \
		-MMD -MP -c $< -o $@

build/selftests/aws/driver-asan: $(AWS_DRIVER:%.c=$(SANITIZED)/%.o) $(AWS_SANITIZED)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(SANITIZE) -o $@ $^ $(AWS_LIBS) -lm

$(SANITIZED)/libagent.a: $(patsubst build/%,$(SANITIZED)/%,$(AGENT_OBJECTS) $(LOADER_OBJECTS))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(filter %.o,$(patsubst build/%,$(SANITIZED)/%,$(AGENT_OBJECTS) $(LOADER_OBJECTS))): | $(SKELETONS)

$(FUZZ_PROGRAMS): build/selftests/fuzz/%: $(SANITIZED)/selftests/fuzz/%.o $(SANITIZED)/libagent.a \
		$(AWS_SANITIZED)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(AGENT_LIBS) $(AWS_LIBS) $(LIB_LIBS) -lm

# A program of the tests that is an agent in part, as well.
build/selftests/aws/policy_node: $(SANITIZED)/selftests/aws/policy_node.o $(SANITIZED)/libagent.a \
		$(AWS_SANITIZED)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(SANITIZE) -o $@ $^ $(AGENT_LIBS) $(AWS_LIBS) $(LIB_LIBS) -lm

# The whole agent with sanitizers, for the tests that take NATXDP_TEST_AGENT.
build/natxdpd-asan: $(SANITIZED)/agent/main.o $(SANITIZED)/libagent.a $(AWS_SANITIZED)
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(SANITIZE) -o $@ $^ $(AGENT_LIBS) $(AWS_LIBS) $(LIB_LIBS) -lm

include mk/lambda.mk

MANUALS := $(wildcard loader/*.[58] agent/*.[58])
UNITS := $(wildcard loader/*.service agent/*.service)
EXAMPLES := $(wildcard loader/*.conf.example agent/*.conf.example)

install: all ## install to DESTDIR, below PREFIX (/usr/local)
	install -D -m 755 $(OUT)/natxdp $(DESTDIR)$(PREFIX)/sbin/natxdp
	install -D -m 755 build/natxdpd $(DESTDIR)$(PREFIX)/sbin/natxdpd
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	@for unit in $(UNITS); do \
		echo "$$unit -> $(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}"; \
		sed "s,@PREFIX@,$(PREFIX)," $$unit \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; \
	done
	install -D -m 644 agent/natxdp.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/natxdp.conf
	install -D -m 644 loader/natxdp.sysctl $(DESTDIR)$(PREFIX)/lib/sysctl.d/50-natxdp.conf
	@for manual in $(MANUALS); do \
		install -D -v -m 644 $$manual $(DESTDIR)$(PREFIX)/share/man/man$${manual##*.}/$${manual##*/}; \
	done
	@for example in $(EXAMPLES); do \
		target=$${example##*/}; target=$(DESTDIR)$(SYSCONFDIR)/natxdp/$${target%.example}; \
		if [ -e $$target ]; then echo "$$target is there already: kept"; \
		else install -D -v -m 644 $$example $$target; fi; \
	done

include mk/package.mk

-include $(AWS_SANITIZED:.o=.d) $(patsubst %.c,build/sanitized/%.d,$(foreach ring,aws fuzz,$(call c_sources,$(ring))))
-include $(patsubst build/%.o,build/sanitized/%.d,$(AGENT_OBJECTS) $(LOADER_OBJECTS) build/agent/main.o)
-include $(USER_OBJECTS:.o=.d) $(BPF_SOURCES:%.bpf.c=build/%.bpf.d)
-include $(patsubst build/%.skel.h,build/%.bpf.d,$(TEST_SKELETONS))
