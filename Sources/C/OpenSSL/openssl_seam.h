// The message digests of OpenSSL 3.
#include <openssl/evp.h>
