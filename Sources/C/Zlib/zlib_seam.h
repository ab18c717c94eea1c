// zlib, which reads compressed bodies of requests.
#pragma once

#include <zlib.h>

// A macro in zlib's own header, which Swift does not see.
static inline int zlib_inflate_init(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }
