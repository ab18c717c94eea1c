import Foundation

/// Turns text and bytes into what may stand in an HTML or SVG document.
enum HTMLText {
    /// Text that shows as it is, inside an element or a quoted attribute. Control characters become U+FFFD.
    static func escape(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": output.append(contentsOf: "&amp;".unicodeScalars)
            case "<": output.append(contentsOf: "&lt;".unicodeScalars)
            case ">": output.append(contentsOf: "&gt;".unicodeScalars)
            case "\"": output.append(contentsOf: "&quot;".unicodeScalars)
            case "'": output.append(contentsOf: "&#39;".unicodeScalars)
            case "\t", "\n": output.append(scalar)
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": output.append("\u{FFFD}")
            default: output.append(scalar)
            }
        }
        return String(output)
    }

    /// A `data:` address that holds the bytes themselves.
    static func address(of bytes: [UInt8], mediaType: String) -> String {
        "data:\(escape(mediaType));base64,\(Data(bytes).base64EncodedString())"
    }
}
