// utf8proc, which puts texts into the normalization forms of Unicode.
#pragma once

#include <utf8proc.h>
