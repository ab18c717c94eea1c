// Included before anything else in every file of the seam: without libtorch, the compiler says what to do.
#pragma once
#if !__has_include(<ATen/ATen.h>)
#error "Concord needs libtorch, which is not here. `make setup` in a checkout of Concord, or in a package that depends on Concord `.build/checkouts/concord/scripts/setup.sh --shared`, installs it; the variable LIBTORCH names one that is installed elsewhere, as a folder with `include` and `lib`. Without libtorch, use the products ConcordData, ConcordRuntime and ConcordServer; LIBTORCH=/none leaves out all others."
#endif
