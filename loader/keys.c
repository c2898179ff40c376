/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "values.h"

static void *field(const struct keys *keys, const struct setting *setting)
{
	return (char *)keys->fields + setting->offset;
}

const struct setting *keys_find(const struct setting *table, const char *key)
{
	for (const struct setting *s = table; s->key; s++) {
		if (!strcmp(s->key, key))
			return s;
	}
	return NULL;
}

void keys_init(const struct keys *keys)
{
	struct reason why;

	memset(keys->fields, 0, keys->size);
	for (const struct setting *s = keys->table; s->key; s++) {
		/* a default that is no valid value is a bug that no test run survives */
		if (s->kind->parse(s->kind, s->initial, field(keys, s), &why))
			abort();
	}
}

int keys_set(const struct keys *keys, const struct setting *setting, const char *text,
	     const char *source, struct err *err)
{
	struct reason why;
	void *before;
	int ret;

	before = malloc(keys->size);
	if (!before)
		return err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
	memcpy(before, keys->fields, keys->size);
	ret = setting->kind->parse(setting->kind, text, field(keys, setting), &why);
	if (ret) {
		memcpy(keys->fields, before, keys->size);
		ret = err_set(err, STATUS_CONFIG, ret, "%s: %s = %.80s: %s", source, setting->key,
			      text, why.text);
	} else {
		*keys->given |= 1ull << (setting - keys->table);
	}
	free(before);
	return ret;
}

void keys_print(const struct keys *keys, FILE *out)
{
	for (const struct setting *s = keys->table; s->key; s++) {
		fprintf(out, "%s = ", s->key);
		s->kind->print(s->kind, field(keys, s), out);
		fputc('\n', out);
	}
}
