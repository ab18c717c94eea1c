// The settings of the C library's allocator, which Swift's own module leaves out.
#pragma once

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
