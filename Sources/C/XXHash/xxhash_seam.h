// xxHash, whose 128 bits find damage as surely as a cryptographic hash, and many times as fast.
#pragma once

#include <xxhash.h>
