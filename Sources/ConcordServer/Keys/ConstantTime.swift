/// Comparisons whose time does not tell where values differ.
package enum ConstantTime {
    /// Whether two byte strings are equal. Looks at every byte of the longer, whatever the others are.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        var difference: UInt8 = left.count == right.count ? 0 : 1
        for index in 0..<max(left.count, right.count) {
            difference |= (index < left.count ? left[index] : 0) ^ (index < right.count ? right[index] : 0)
        }
        return difference == 0
    }
}
