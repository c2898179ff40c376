/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "keys.h"

enum { LINE_MAX_LEN = 190 }; /* inih cuts lines at 200 bytes without a word */

/*
 * inih reports a line that continues a value as the same key again, and no
 * line numbers, so the reader that feeds it keeps both.
 */
struct reader {
	FILE *file;
	const char *path;
	const char *only;
	unsigned int line;
	bool continued;
	struct keys keys;	     /* over a copy of the fields */
	unsigned int seen[KEYS_MAX]; /* by index in the table: the line, 0 for none */
	const struct setting *open;  /* the key whose value may still go on */
	unsigned int open_line;
	char *text;
	struct err *err;
	int ret;
};

static char *read_line(char *str, int num, void *stream)
{
	struct reader *r = stream;
	size_t len;

	if (r->ret || !fgets(str, num, r->file))
		return NULL;
	r->line++;
	r->continued = *str == ' ' || *str == '\t';
	len = strlen(str);
	if (len > LINE_MAX_LEN) {
		r->ret = err_set(r->err, STATUS_CONFIG, EINVAL,
				 "%s:%u: the line is too long: go on in the next line, indented",
				 r->path, r->line);
		return NULL;
	}
	return str;
}

/* The value is complete: parse it. */
static int finish_value(struct reader *r)
{
	char source[PATH_MAX + 16];
	int ret = 0;

	if (!r->open)
		return 0;
	snprintf(source, sizeof(source), "%s:%u", r->path, r->open_line);
	ret = keys_set(&r->keys, r->open, r->text, source, r->err);
	r->open = NULL;
	free(r->text);
	r->text = NULL;
	return ret;
}

static int begin_value(struct reader *r, const char *name, const char *value)
{
	const struct setting *setting = keys_find(r->keys.table, name);
	unsigned int *seen;

	if (r->only && strcmp(name, r->only))
		return 0;
	if (!setting)
		return err_set(r->err, STATUS_CONFIG, EINVAL,
			       "%s:%u: %.60s: no such key: %s lists them", r->path, r->line, name,
			       r->keys.manual);
	seen = &r->seen[setting - r->keys.table];
	if (*seen)
		return err_set(r->err, STATUS_CONFIG, EINVAL,
			       "%s:%u: %s: given before in line %u: keep one of the two", r->path,
			       r->line, name, *seen);
	*seen = r->line;
	r->open = setting;
	r->open_line = r->line;
	r->text = strdup(value);
	return r->text ? 0 : err_set(r->err, STATUS_SYSTEM, ENOMEM, "out of memory");
}

static int continue_value(struct reader *r, const char *value)
{
	char *longer;

	if (!r->open) /* of a key that @only skips */
		return 0;
	if (asprintf(&longer, "%s %s", r->text, value) < 0)
		return err_set(r->err, STATUS_SYSTEM, ENOMEM, "out of memory");
	free(r->text);
	r->text = longer;
	return 0;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;

	if (r->ret)
		return 0;
	if (*section && !r->only)
		r->ret = err_set(r->err, STATUS_CONFIG, EINVAL,
				 "%s:%u: [%.60s]: this file has no sections: take the line out",
				 r->path, r->line, section);
	else if (r->continued)
		r->ret = continue_value(r, value);
	else
		r->ret = finish_value(r);
	if (!r->ret && !r->continued)
		r->ret = begin_value(r, name, value);
	return !r->ret;
}

int keys_read(const struct keys *keys, const char *path, const char *only, struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	void *copy = malloc(keys->size);
	int line, ret;

	if (!r || !copy) {
		ret = err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		goto out;
	}
	r->file = fopen(path, "re");
	if (!r->file) {
		ret = err_set(err, STATUS_CONFIG, errno, "%s: cannot read: %s", path,
			      strerror(errno));
		goto out;
	}
	memcpy(copy, keys->fields, keys->size);
	r->path = path;
	r->only = only;
	r->err = err;
	r->keys = *keys;
	r->keys.fields = copy;
	r->keys.given = (uint64_t *)((char *)copy + ((char *)keys->given - (char *)keys->fields));
	line = ini_parse_stream(read_line, r, take_pair, r);
	if (!r->ret && line && !only)
		r->ret = err_set(err, STATUS_CONFIG, EINVAL, "%s:%d: not of the form 'key = value'",
				 path, line);
	if (!r->ret)
		r->ret = finish_value(r);
	ret = r->ret;
	if (!ret)
		memcpy(keys->fields, copy, keys->size);
	free(r->text);
	fclose(r->file);
out:
	free(copy);
	free(r);
	return ret;
}
