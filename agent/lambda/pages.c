/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pages.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>

static size_t ignore(char *data, size_t size, size_t count, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * count;
}

static CURL *start(CURLM *multi, struct page *page, long timeout_ms)
{
	CURL *curl = curl_easy_init();

	snprintf(page->why, sizeof(page->why), "not asked");
	page->status = 0;
	page->refused = false;
	if (!curl)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_URL, page->url);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, page);
	curl_multi_add_handle(multi, curl);
	return curl;
}

static void finish(CURL *curl, CURLcode code)
{
	struct page *page;
	long status = 0, error = 0;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, &page);
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	page->status = code ? 0 : (int)status;
	page->refused = code == CURLE_COULDNT_CONNECT && error == ECONNREFUSED;
	snprintf(page->why, sizeof(page->why), "%s", code ? curl_easy_strerror(code) : "");
}

void pages_fetch(struct page *pages, unsigned int count, long timeout_ms)
{
	CURL *curls[PAGES_MAX] = { NULL };
	CURLM *multi = curl_multi_init();
	CURLMsg *message;
	int running, left;

	if (!multi)
		return;
	for (unsigned int i = 0; i < count && i < PAGES_MAX; i++)
		curls[i] = start(multi, &pages[i], timeout_ms);
	do {
		if (curl_multi_perform(multi, &running))
			break;
		if (running)
			curl_multi_poll(multi, NULL, 0, 100, NULL);
	} while (running);
	while ((message = curl_multi_info_read(multi, &left))) {
		if (message->msg == CURLMSG_DONE)
			finish(message->easy_handle, message->data.result);
	}
	for (unsigned int i = 0; i < count && i < PAGES_MAX; i++) {
		if (curls[i])
			curl_multi_remove_handle(multi, curls[i]);
		curl_easy_cleanup(curls[i]);
	}
	curl_multi_cleanup(multi);
}
