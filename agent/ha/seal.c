/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "seal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "err.h"

enum { NONCE_SIZE = 12, FILE_MAX = 4096 };

struct seal {
	EVP_CIPHER_CTX *cipher;
};

/* @info separates keys that come from one secret. */
static bool derive(const uint8_t *secret, const void *info, size_t info_len, uint8_t *key,
		   size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, SECRET_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_len),
		OSSL_PARAM_construct_end(),
	};
	bool done = ctx && EVP_KDF_derive(ctx, key, len, params) > 0;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return done;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_secret(const char *line, size_t len, uint8_t *secret)
{
	if (len != 2 * SECRET_SIZE)
		return false;
	for (size_t i = 0; i < SECRET_SIZE; i++) {
		int high = hex_digit(line[2 * i]), low = hex_digit(line[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		secret[i] = high << 4 | low;
	}
	return true;
}

static int add_secret(struct secrets *secrets, const char *line, size_t len, const char *name,
		      struct err *err)
{
	static const char fingerprint[] = "natxdp fingerprint";
	unsigned int at = secrets->count;

	if (at == SECRETS_MAX)
		return err_set(err, STATUS_CONFIG, E2BIG,
			       "%s: more than two keys: one is in use, one comes or goes", name);
	if (!hex_secret(line, len, secrets->secret[at]))
		return err_set(err, STATUS_CONFIG, EINVAL,
			       "%s: a key is 64 hexadecimal digits: 'openssl rand -hex 32' "
			       "makes one",
			       name);
	if (!derive(secrets->secret[at], fingerprint, sizeof(fingerprint),
		    (uint8_t *)&secrets->id[at], sizeof(secrets->id[at])))
		return err_set(err, STATUS_SYSTEM, EIO, "libcrypto cannot derive keys");
	if (secrets_find(secrets, secrets->id[at]) >= 0)
		return err_set(err, STATUS_CONFIG, EINVAL, "%s: the same key twice", name);
	secrets->count++;
	return 0;
}

int secrets_parse(struct secrets *secrets, const char *text, const char *name, struct err *err)
{
	int ret = 0;

	memset(secrets, 0, sizeof(*secrets));
	while (*text && !ret) {
		size_t len = strcspn(text, "\r\n");

		if (len && *text != '#')
			ret = add_secret(secrets, text, len, name, err);
		text += len;
		text += strspn(text, "\r\n");
	}
	if (!ret && !secrets->count)
		ret = err_set(err, STATUS_CONFIG, ENOENT,
			      "%s: no key in it: 'openssl rand -hex 32' makes one", name);
	if (ret)
		secrets_forget(secrets);
	return ret;
}

void secrets_forget(struct secrets *secrets)
{
	OPENSSL_cleanse(secrets, sizeof(*secrets));
}

int secrets_read(struct secrets *secrets, const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret;
	char text[FILE_MAX + 1];
	struct stat st;
	ssize_t len;

	if (fd < 0)
		return err_set(err, STATUS_CONFIG, errno, "%s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && st.st_mode & S_IRWXO) {
		close(fd);
		return err_set(err, STATUS_CONFIG, EACCES,
			       "%s: everybody can read the key: 'chmod o= %s'", path, path);
	}
	len = read(fd, text, FILE_MAX);
	ret = len < 0 ? -errno : 0;
	close(fd);
	if (ret)
		return err_set(err, STATUS_CONFIG, ret, "%s: %s", path, strerror(-ret));
	text[len] = '\0';
	ret = secrets_parse(secrets, text, path, err);
	OPENSSL_cleanse(text, sizeof(text));
	return ret;
}

int secrets_find(const struct secrets *secrets, uint32_t id)
{
	for (unsigned int i = 0; i < secrets->count; i++) {
		if (secrets->id[i] == id)
			return i;
	}
	return -1;
}

struct seal *seal_new(const uint8_t *secret, const struct seal_purpose *purpose, bool sealing)
{
	struct {
		char label[16];
		struct seal_purpose purpose;
	} info = { "natxdp seal v1", *purpose };
	struct seal *seal = calloc(1, sizeof(*seal));
	uint8_t key[32];
	bool done = false;

	_Static_assert(sizeof(struct seal_purpose) == 56, "no bytes but those that are set");
	info.purpose.from = htobe64(purpose->from);
	info.purpose.to = htobe64(purpose->to);
	if (!seal)
		return NULL;
	seal->cipher = EVP_CIPHER_CTX_new();
	if (seal->cipher && derive(secret, &info, sizeof(info), key, sizeof(key)))
		done = EVP_CipherInit_ex(seal->cipher, EVP_aes_256_gcm(), NULL, key, NULL,
					 sealing) == 1;
	OPENSSL_cleanse(key, sizeof(key));
	if (done)
		return seal;
	seal_free(seal);
	return NULL;
}

void seal_free(struct seal *seal)
{
	if (seal)
		EVP_CIPHER_CTX_free(seal->cipher); /* which clears the key */
	free(seal);
}

/* The nonce, and what is authenticated only. */
static bool begin(struct seal *seal, uint64_t sequence, const void *head, size_t head_len,
		  bool sealing)
{
	uint8_t nonce[NONCE_SIZE] = { 0 };
	int len;

	sequence = htobe64(sequence);
	memcpy(nonce + NONCE_SIZE - sizeof(sequence), &sequence, sizeof(sequence));
	return EVP_CipherInit_ex(seal->cipher, NULL, NULL, NULL, nonce, sealing) == 1 &&
	       EVP_CipherUpdate(seal->cipher, NULL, &len, head, head_len) == 1;
}

int seal_close(struct seal *seal, uint64_t sequence, const void *head, size_t head_len,
	       const void *data, size_t len, uint8_t *out)
{
	int done = 0, rest = 0;

	if (!begin(seal, sequence, head, head_len, true) ||
	    (len && EVP_CipherUpdate(seal->cipher, out, &done, data, len) != 1) ||
	    EVP_CipherFinal_ex(seal->cipher, out + done, &rest) != 1 ||
	    EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, out + len) != 1)
		return -EIO;
	return 0;
}

int seal_open(struct seal *seal, uint64_t sequence, const void *head, size_t head_len,
	      const uint8_t *sealed, size_t len, uint8_t *out)
{
	int done = 0, rest = 0;

	if (len < SEAL_TAG)
		return -EBADMSG;
	len -= SEAL_TAG;
	if (!begin(seal, sequence, head, head_len, false) ||
	    (len && EVP_CipherUpdate(seal->cipher, out, &done, sealed, len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG,
				(void *)(sealed + len)) != 1 ||
	    EVP_CipherFinal_ex(seal->cipher, out + done, &rest) != 1)
		return -EBADMSG;
	return len;
}
