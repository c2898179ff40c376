/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the agent reads: the first byte says what the rest is, a document of the
 * instance metadata service, /proc/stat, or the value of a key of either
 * configuration, which has to read back the same once it was printed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "keys.h"
#include "notice.h"
#include "settings.h"
#include "softirq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHAT_NOTICE, WHAT_STAT, WHAT_CONF, WHAT_SETTINGS, WHATS };

/* The reader of files never passes a value with line ends, or blanks around it. */
static char *as_from_file(char *text)
{
	char *end;

	for (char *c = text; *c; c++) {
		if ((unsigned char)*c <= ' ')
			*c = ' ';
	}
	text += strspn(text, " ");
	for (end = text + strlen(text); end > text && end[-1] == ' '; end--)
		;
	*end = '\0';
	return text;
}

static void check_value(const struct setting *table, uint8_t number, const char *text)
{
	static union {
		struct conf conf;
		struct settings settings;
	} first, second;
	const struct setting *s = table;
	char *printed = NULL;
	struct reason why;
	size_t len;
	FILE *out;

	while (number-- && s[1].key)
		s++;
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (s->kind->parse(s->kind, text, (char *)&first + s->offset, &why))
		return;
	out = open_memstream(&printed, &len);
	s->kind->print(s->kind, (char *)&first + s->offset, out);
	fclose(out);
	for (char *c = printed; *c; c++) { /* as the reader of files joins lines */
		if (*c == '\n' || *c == '\t')
			*c = ' ';
	}
	if (s->kind->parse(s->kind, printed, (char *)&second + s->offset, &why))
		abort();
	free(printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct softirq_cpu cpu[CPUS_MAX];
	struct notice notice;
	char *text;

	if (size < 2)
		return 0;
	text = malloc(size - 1);
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	switch (data[0] % WHATS) {
	case WHAT_NOTICE:
		notice_parse(data[1] % NOTICES, text, size - 2, &notice);
		break;
	case WHAT_STAT:
		softirq_parse(text, cpu);
		break;
	case WHAT_CONF:
		check_value(conf_table, data[1], as_from_file(text));
		break;
	case WHAT_SETTINGS:
		check_value(settings_table, data[1], as_from_file(text));
		break;
	}
	free(text);
	return 0;
}
