// SPDX-License-Identifier: Apache-2.0
// What routerd takes from the system's OpenSSL: TLS over memory, SHA-256, constant-time comparison.
// The functions below are macros there, which Swift cannot see.
#ifndef ROUTERD_COPENSSL_SHIM_H
#define ROUTERD_COPENSSL_SHIM_H
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static inline int routerd_ssl_ctx_set_min_tls12(SSL_CTX *ctx) { return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION); }

/// Writes may be repeated from another buffer, and are done in part; idle connections hold no buffers.
static inline void routerd_ssl_ctx_set_mode(SSL_CTX *ctx) {
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static inline void routerd_ssl_ctx_set_options(SSL_CTX *ctx, int is_server) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | (is_server ? SSL_OP_CIPHER_SERVER_PREFERENCE : 0));
}

static inline void routerd_ssl_ctx_cache_client_sessions(SSL_CTX *ctx) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static inline int routerd_ssl_set_host_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }

/// An empty memory BIO says "later", not "the end".
static inline void routerd_bio_never_ends(BIO *bio) { BIO_set_mem_eof_return(bio, -1); }

static inline long routerd_bio_pending(BIO *bio) { return BIO_pending(bio); }
#endif
