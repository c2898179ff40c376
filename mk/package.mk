# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The packages: a deb for Debian 12, linked with the libraries
# there, and an rpm for Amazon Linux 2023, which brings those that it may lack.
# docs/dependencies.md says why they are linked as they are.

PACKAGE_VERSION ?= $(shell sed -n 's/.*NATXDP_VERSION "\(.*\)"/\1/p' loader/version.h)
PACKAGES := build/package
STAGE := $(PACKAGES)/stage
RECIPE := ami/package
NM ?= nm
# the time of what is packed, so that the same tree makes the same packages
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

RPM_ARCH := $(patsubst amd64,x86_64,$(patsubst arm64,aarch64,$(ARCH)))
DEB := $(PACKAGES)/natxdp_$(PACKAGE_VERSION)_$(ARCH).deb
RPM := $(PACKAGES)/natxdp-$(PACKAGE_VERSION)-1.$(RPM_ARCH).rpm
SBOM := $(PACKAGES)/natxdp-$(PACKAGE_VERSION)-$(ARCH).spdx.json

.PHONY: packages deb rpm
packages: deb rpm $(SBOM)
deb: $(DEB)
rpm: $(RPM)

PACKED := $(PROGRAMS) $(MANUALS) $(EXAMPLES) $(UNITS) agent/natxdp.sysusers loader/natxdp.sysctl \
	mk/build.mk mk/package.mk $(wildcard $(RECIPE)/* $(RECIPE)/debian/*)

$(STAGE)/made: $(PACKED)
	$(call say,STAGE,$(@D))
	$(Q)rm -rf $(STAGE) && mkdir -p $(STAGE)
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(abspath $(STAGE)/root) PREFIX=/usr \
		SYSCONFDIR=/etc >$(PACKAGES)/install.log
	@touch $@

$(DEB): $(STAGE)/made
	$(call say,DEB,$@)
	$(Q)$(RECIPE)/make-deb.sh $(STAGE)/root $(PACKAGE_VERSION) $@

# The rpm's programs are linked once more, with another way to their libraries.
PRIVATE_DIR := /usr/lib/natxdp
PRIVATE_LIBRARIES := bpf xdp cjson inih microhttpd
RPM_LINKED := $(PACKAGES)/linked
rpm_link = $(CC) $(CFLAGS) $(LDFLAGS) -Wl,--disable-new-dtags,-rpath,$(PRIVATE_DIR) \
	-L$(PACKAGES)/stub -o $@ $(filter %.o %.a,$^) $(1) $(LIB_LIBS)

# Debian's libcurl has versions for its symbols, and no other's has. Linked with
# one without, a program takes whichever is there.
$(PACKAGES)/stub/libcurl.so: build/libnatxdp-aws.a build/libnatxdp-agent.a
	@mkdir -p $(@D)
	$(call say,STUB,$@)
	$(Q)$(NM) -u $^ | sed -n 's/^ *U \(curl_.*\)$$/void \1(void);\nvoid \1(void) {}/p' | sort -ru >$(@D)/libcurl.c
	$(Q)$(CC) -shared -fPIC -nostdlib -Wl,-soname,libcurl.so.4 -o $@ $(@D)/libcurl.c

$(RPM_LINKED)/natxdp: $(OUT)/loader/main.o $(OUT)/libnatxdp.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(call rpm_link)

$(RPM_LINKED)/natxdpd: build/agent/main.o $(AGENT_ARCHIVES) $(PACKAGES)/stub/libcurl.so
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(call rpm_link,$(AGENT_LIBS) $(AWS_LIBS) -lm)

$(RPM): $(STAGE)/made $(RPM_LINKED)/natxdp $(RPM_LINKED)/natxdpd
	$(call say,RPM,$@)
	$(Q)$(RECIPE)/make-rpm.sh $(STAGE)/root $(RPM_LINKED) $(PACKAGE_VERSION) $(RPM_ARCH) $@ \
		$(foreach library,$(PRIVATE_LIBRARIES),$(shell $(CC) -print-file-name=lib$(library).so))

# What is in them, for whoever has to know which release has a library with a hole.
$(SBOM): $(DEB) $(RPM) $(RECIPE)/make-sbom.py
	$(call say,SBOM,$@)
	$(Q)$(RECIPE)/make-sbom.py $@ $(DEB) $(RPM)
