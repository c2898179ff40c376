/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "settings.h"

/* Where rfc differs from aws, which is the default of settings_table. */
static const struct {
	const char *key;
	const char *value;
} rfc_defaults[] = {
	{ "mapping", "endpoint-independent" }, /* RFC 4787, REQ-1; RFC 5382, REQ-1 */
	/* RFC 4787, REQ-8: the most transparent; an echo reply has one sender */
	{ "filtering", "udp:endpoint-independent, tcp:endpoint-independent, "
		       "icmp:endpoint-dependent" },
	{ "hairpin", "on" },		       /* RFC 4787, REQ-9 */
	{ "udp_timeout", "300" },	       /* RFC 4787, REQ-5 */
	{ "icmp_timeout", "60" },	       /* RFC 5508, REQ-2 */
	{ "tcp_opening_timeout", "240" },      /* RFC 5382, REQ-5 */
	{ "tcp_established_timeout", "7440" }, /* RFC 5382, REQ-5: 2 hours 4 minutes */
	{ "tcp_closing_timeout", "240" },      /* RFC 5382, REQ-5 */
	{ "tcp_midstream", "drop" },
};

enum { RFC_DEFAULTS = sizeof(rfc_defaults) / sizeof(*rfc_defaults) };

const char *profile_default(enum profile profile, const struct setting *setting)
{
	for (int i = 0; profile == PROFILE_RFC && i < RFC_DEFAULTS; i++) {
		if (!strcmp(rfc_defaults[i].key, setting->key))
			return rfc_defaults[i].value;
	}
	return setting->initial;
}

static void set_default(const struct setting *setting, const char *text, void *field)
{
	struct reason why;

	/* a default that is no valid value is a bug that no test run survives */
	if (setting->kind->parse(setting->kind, text, field, &why))
		abort();
}

/* Protocols that the text did not name. */
static void complete(struct by_class *by, const struct setting *setting, const char *text)
{
	struct by_class defaults;

	set_default(setting, text, &defaults);
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (!(by->given & 1 << class))
			by->value[class] = defaults.value[class];
	}
	by->given = CLASSES_ALL;
}

static bool maps_anything(const struct settings *settings)
{
	return settings->mapping.value[NATXDP_CLASS_UDP] ||
	       settings->mapping.value[NATXDP_CLASS_TCP];
}

/* Defaults give way to a mapping that does not allow them. */
static void follow_mapping(struct settings *settings, uint8_t filtering_given)
{
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (!(filtering_given & 1 << class) && !settings->mapping.value[class])
			settings->filtering.value[class] = NATXDP_FILTERING_ENDPOINT_DEPENDENT;
	}
	if (!settings_given(settings, settings_find("hairpin")) && !maps_anything(settings))
		settings->hairpin = false;
}

void profile_apply(struct settings *settings)
{
	bool given = settings_given(settings, settings_find("filtering"));
	uint8_t filtering_given = given ? settings->filtering.given : 0;

	for (const struct setting *s = settings_table; s->key; s++) {
		const char *text = profile_default(settings->profile, s);
		void *field = settings_field(settings, s);

		if (!settings_given(settings, s))
			set_default(s, text, field);
		else if (s->kind == &kind_mapping || s->kind == &kind_filtering)
			complete(field, s, text);
	}
	follow_mapping(settings, filtering_given);
}

int profile_check(const struct settings *settings, struct err *err)
{
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		if (settings->filtering.value[class] && !settings->mapping.value[class])
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "filtering = %s:%s: the mapping of %s is "
				       "endpoint-dependent, so that nobody else can know its ports: "
				       "set mapping = %s:endpoint-independent too",
				       class_names[class],
				       filtering_name(settings->filtering.value[class]),
				       class_names[class], class_names[class]);
	}
	if (settings->hairpin && !maps_anything(settings))
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "hairpin = on: inside hosts reach each other by ports that do not "
			       "depend on the destination: set mapping = endpoint-independent for "
			       "udp or tcp too");
	return 0;
}

void profile_configure(struct natxdp_config *config, const struct settings *settings)
{
	config->tcp_midstream = settings->tcp_midstream;
	for (int i = 0; i < NATXDP_TIMEOUTS; i++)
		config->timeout[i] = settings_ticks(settings->timeout_ms[i]);
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		config->mapping[class] = settings->mapping.value[class];
		config->filtering[class] = settings->filtering.value[class];
	}
	config->features = (settings->hairpin ? NATXDP_HAIRPIN : 0) |
			   (settings->pooling_arbitrary ? NATXDP_POOLING_ARBITRARY : 0) |
			   (settings->inbound_refresh ? NATXDP_INBOUND_REFRESH : 0) |
			   (settings->other_protocols ? NATXDP_OTHER_PROTOCOLS : 0);
}

static bool behaves_alike(const struct natxdp_config *a, const struct natxdp_config *b)
{
	return a->tcp_midstream == b->tcp_midstream &&
	       !((a->features ^ b->features) & ~(NATXDP_POOL_GROUPS | NATXDP_TUNNELS)) &&
	       !memcmp(a->timeout, b->timeout, sizeof(a->timeout)) &&
	       !memcmp(a->mapping, b->mapping, NATXDP_CLASSES) &&
	       !memcmp(a->filtering, b->filtering, NATXDP_CLASSES);
}

const char *profile_of(const struct natxdp_config *config)
{
	struct settings *settings = malloc(sizeof(*settings));
	const char *name = "custom";
	struct natxdp_config is;

	for (int profile = 0; settings && profile < PROFILES; profile++) {
		settings_init(settings);
		settings->profile = profile;
		settings->given = 1ull << (settings_find("profile") - settings_table);
		profile_apply(settings);
		profile_configure(&is, settings);
		if (behaves_alike(&is, config))
			name = profile_name(profile);
	}
	free(settings);
	return name;
}
