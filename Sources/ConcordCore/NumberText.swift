/// Numbers as people read them, without a locale.
package enum NumberText {
    /// With a fixed number of decimals: `2.30`. NaN and infinities print as such.
    package static func fixed(_ value: Double, decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞" }
        let power = (0..<decimals).reduce(1.0) { product, _ in product * 10 }
        let scaled = (abs(value) * power).rounded()
        // Past the integers that a Double holds, decimals mean nothing.
        guard let digits = UInt64(exactly: scaled), scaled < 0x1p53 else { return "\(value)" }
        var text = String(digits)
        if text.utf8.count <= decimals { text = String(repeating: "0", count: decimals + 1 - text.utf8.count) + text }
        if decimals > 0 { text.insert(".", at: text.index(text.endIndex, offsetBy: -decimals)) }
        return (value < 0 && digits != 0 ? "-" : "") + text
    }

    /// With about `digits` significant digits, no exponent between 10⁻⁴ and 10⁷: `2.31`, `0.00050`, `3e-06`.
    package static func significant(_ value: Double, digits: Int = 3) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, decimals: 0) }
        let exponent = decimalExponent(value)
        if exponent < -4 || exponent > 6 {
            let power = (0..<abs(exponent)).reduce(1.0) { product, _ in product * 10 }
            let mantissa = exponent < 0 ? value * power : value / power
            return trimmed(fixed(mantissa, decimals: digits - 1)) + "e\(exponent)"
        }
        return fixed(value, decimals: max(0, digits - 1 - exponent))
    }

    /// Short, for ticks: `0.05`, `1200` as `1.2k`, `3e-5`.
    package static func tick(_ value: Double) -> String {
        let size = abs(value)
        if size >= 1e6, size < 1e9 { return trimmed(significant(value / 1e6)) + "M" }
        if size >= 1e4, size < 1e6 { return trimmed(significant(value / 1e3)) + "k" }
        return trimmed(significant(value, digits: 4))
    }

    /// A number of bytes, in powers of a thousand: `605.2 MB`.
    package static func bytes(_ count: Int) -> String {
        let (size, name) = byteUnit(count)
        return fixed(Double(count) / Double(size), decimals: size > 1 ? 1 : 0) + " " + name
    }

    /// Some of a number of bytes, both in the unit of the whole: `12.0/605.2 MB`.
    package static func bytes(_ done: Int, of total: Int) -> String {
        let size = byteUnit(total).size
        return fixed(Double(done) / Double(size), decimals: size > 1 ? 1 : 0) + "/" + bytes(total)
    }

    private static func byteUnit(_ count: Int) -> (size: Int, name: String) {
        let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")]
        return units.first { count >= $0.0 } ?? (1, "B")
    }

    /// Without zeros at the end of a fraction.
    private static func trimmed(_ text: String) -> String {
        guard text.contains("."), !text.contains("e") else { return text }
        let kept = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
        return String(kept.reversed())
    }

    /// The power of ten of the first digit: 0 for 2.31, −2 for 0.05.
    static func decimalExponent(_ value: Double) -> Int {
        var exponent = 0
        var size = abs(value)
        while size >= 10 {
            size /= 10
            exponent += 1
        }
        while size < 1 && size > 0 {
            size *= 10
            exponent -= 1
        }
        return exponent
    }

    /// `1:23`, or `2:03:09` from an hour on.
    package static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "–" }
        let whole = Int(seconds.rounded())
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
    }
}
