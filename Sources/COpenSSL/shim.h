// SPDX-License-Identifier: Apache-2.0
// What routerd takes from the system's OpenSSL: constant-time comparison and SHA-256.
#ifndef ROUTERD_COPENSSL_SHIM_H
#define ROUTERD_COPENSSL_SHIM_H
#include <openssl/crypto.h>
#include <openssl/sha.h>
#endif
