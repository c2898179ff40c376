/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lastload.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "rundir.h"
#include "settings.h"

enum { LASTLOAD_MAX = 65536, FRESH_MAX = RUN_PATH_MAX + 8 };

static void add_word(cJSON *words, const char *word)
{
	cJSON_AddItemToArray(words, cJSON_CreateString(word));
}

static bool is_about_output(const char *word)
{
	static const char *const words[] = { "--json", "-j", "--verbose", "-v" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!strcmp(word, words[i]))
			return true;
	}
	return false;
}

/* argp takes --config FILE, --config=FILE, -c FILE and -cFILE. */
static void add_words(cJSON *words, int argc, char **argv)
{
	char path[PATH_MAX];

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *file = NULL;

		if (!strcmp(word, "--config") || !strcmp(word, "-c"))
			file = ++i < argc ? argv[i] : NULL;
		else if (!strncmp(word, "--config=", 9))
			file = word + 9;
		else if (!strncmp(word, "-c", 2))
			file = word + 2;
		if (!file) {
			if (!is_about_output(word))
				add_word(words, word);
			continue;
		}
		add_word(words, "--config");
		add_word(words, realpath(file, path) ? path : file);
	}
}

/* Opens what will replace @path. */
static FILE *begin(const char *path, char fresh[FRESH_MAX])
{
	snprintf(fresh, FRESH_MAX, "%s.new", path);
	return fopen(fresh, "we");
}

static int finish(FILE *file, const char *fresh, const char *path)
{
	bool ok = !ferror(file);

	ok = !fclose(file) && ok;
	return !ok || rename(fresh, path) ? -errno : 0;
}

static int write_words(const char *path, const char *pin_dir, int argc, char **argv)
{
	cJSON *words = cJSON_CreateArray();
	char fresh[FRESH_MAX], *text;
	FILE *file;
	int ret;

	add_words(words, argc, argv);
	add_word(words, "--pin-dir");
	add_word(words, pin_dir);
	text = cJSON_PrintUnformatted(words);
	cJSON_Delete(words);
	if (!text)
		return -ENOMEM;
	file = begin(path, fresh);
	ret = file ? 0 : -errno;
	if (file) {
		fputs(text, file);
		ret = finish(file, fresh, path);
	}
	free(text);
	return ret;
}

/* The first line names the interface, which is no setting. */
static int write_settings(const char *path, const struct settings *settings, const char *iface)
{
	char fresh[FRESH_MAX];
	FILE *file = begin(path, fresh);

	if (!file)
		return -errno;
	fprintf(file, "# %s\n", iface);
	settings_print(settings, file);
	return finish(file, fresh, path);
}

int lastload_write(const struct settings *settings, const char *iface, int argc, char **argv,
		   struct err *err)
{
	char path[RUN_PATH_MAX];
	int ret;

	rundir_path(path, settings->pin_dir, "conf");
	ret = write_settings(path, settings, iface);
	if (!ret) {
		rundir_path(path, settings->pin_dir, "load");
		ret = write_words(path, settings->pin_dir, argc, argv);
	}
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret,
			       "%s: cannot write: %s: the NAT is loaded, but 'natxdp reload', "
			       "'natxdp verify' and the watcher will not know how",
			       path, strerror(-ret));
	return 0;
}

int lastload_read_settings(struct settings *settings, char iface[IFNAMSIZ], const char *pin_dir,
			   struct err *err)
{
	char path[RUN_PATH_MAX], line[IFNAMSIZ + 4] = "";
	FILE *file;

	rundir_path(path, pin_dir, "conf");
	settings_init(settings);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file) || sscanf(line, "# %15s", iface) != 1)
		*iface = '\0';
	if (file)
		fclose(file);
	return settings_read(settings, path, NULL, err);
}

static char *read_file(const char *path)
{
	char *text = calloc(1, LASTLOAD_MAX);
	FILE *file = fopen(path, "re");

	if (file && text && !fread(text, 1, LASTLOAD_MAX - 1, file))
		*text = '\0';
	if (file)
		fclose(file);
	return text;
}

static int take_words(struct lastload *last, const cJSON *words)
{
	const cJSON *word;

	last->argv = calloc(cJSON_GetArraySize(words) + 1, sizeof(*last->argv));
	if (!last->argv)
		return -ENOMEM;
	cJSON_ArrayForEach(word, words) {
		if (!cJSON_IsString(word))
			return -EPROTO;
		last->argv[last->argc] = strdup(word->valuestring);
		if (!last->argv[last->argc++])
			return -ENOMEM;
	}
	return last->argc > 1 ? 0 : -EPROTO;
}

int lastload_read(struct lastload *last, const char *pin_dir, struct err *err)
{
	char path[RUN_PATH_MAX], *text;
	cJSON *words;
	int ret;

	memset(last, 0, sizeof(*last));
	rundir_path(path, pin_dir, "load");
	text = read_file(path);
	words = text ? cJSON_Parse(text) : NULL;
	ret = cJSON_IsArray(words) ? take_words(last, words) : -ENOENT;
	cJSON_Delete(words);
	free(text);
	if (!ret)
		return 0;
	lastload_free(last);
	return err_set(err, STATUS_STATE, ret,
		       "%s: does not say how the NAT was loaded: run 'natxdp load' again as it was, "
		       "which keeps every flow",
		       path);
}

void lastload_free(struct lastload *last)
{
	for (int i = 0; i < last->argc; i++)
		free(last->argv[i]);
	free(last->argv);
	memset(last, 0, sizeof(*last));
}

int lastload_write_why(const char *pin_dir, const char *why, struct err *err)
{
	char path[RUN_PATH_MAX], fresh[FRESH_MAX];
	FILE *file;
	int ret;

	rundir_path(path, pin_dir, "hook");
	if (!*why)
		return unlink(path) && errno != ENOENT ? -errno : 0;
	file = begin(path, fresh);
	ret = file ? 0 : -errno;
	if (file) {
		fputs(why, file);
		ret = finish(file, fresh, path);
	}
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "%s: cannot write: %s", path,
			       strerror(-ret));
	return 0;
}

void lastload_read_why(const char *pin_dir, char why[], size_t size)
{
	char path[RUN_PATH_MAX];
	FILE *file;

	*why = '\0';
	rundir_path(path, pin_dir, "hook");
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(why, (int)size, file))
		*why = '\0';
	fclose(file);
}

void lastload_forget(const char *pin_dir)
{
	char path[RUN_PATH_MAX];

	rundir_path(path, pin_dir, "hook");
	unlink(path);

	rundir_path(path, pin_dir, "load");
	unlink(path);
	rundir_path(path, pin_dir, "conf");
	unlink(path);
}
