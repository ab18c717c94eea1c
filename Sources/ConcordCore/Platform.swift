// C's library and the small half of Foundation, whatever the system calls them.
//
// What a service is made of imports this and not Foundation: the other half brings ICU with its tables, 46 MB in
// all, into every program that it is linked into.

#if canImport(FoundationEssentials)
    @_exported import FoundationEssentials
#else
    @_exported import Foundation
#endif
#if canImport(Glibc)
    @_exported import Glibc
#elseif canImport(Musl)
    @_exported import Musl
#endif
