import CHarfBuzz
import CVips
import ConcordCore

/// Draws the color bitmaps of an emoji font.
///
/// The text is shaped by HarfBuzz, so that a sequence with joiners, skin tones or flags becomes the one glyph that the
/// font has for it; the glyph's image is the PNG that the font stores, at its own resolution.
///
/// `@unchecked Sendable`: the HarfBuzz font is made immutable in `init`, which lets any number of threads shape with
/// it at once; shaping buffers are local to a call.
package final class GlyphRenderer: @unchecked Sendable {
    /// The result of shaping a text with a font.
    package enum Shape: Sendable, Hashable {
        /// One glyph that has an image; the number is the glyph's index in the font.
        case image(glyph: UInt32)
        /// One glyph without an image, as plain text has in an emoji font.
        case plainGlyph
        /// The font has no single glyph for the text and would draw this many.
        case severalGlyphs(Int)
        /// The font lacks a character of the text.
        case missing
    }

    package let fontPath: String
    private let font: OpaquePointer

    /// The paths where Linux distributions and Homebrew put the Noto color emoji font.
    package static let fontPaths = [
        "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
        "/usr/share/fonts/noto/NotoColorEmoji.ttf",
        "/usr/share/fonts/google-noto-emoji/NotoColorEmoji.ttf",
        "/usr/local/share/fonts/NotoColorEmoji.ttf",
        "/Library/Fonts/NotoColorEmoji.ttf",
    ]

    /// The first of `paths` that exists. Throws `.unavailable` with the package to install.
    package static func findFont(among paths: [String] = fontPaths) throws(ConcordError) -> String {
        if let path = paths.first(where: Files.exists) { return path }
        throw ConcordError(
            .unavailable,
            "no color emoji font in \(paths.joined(separator: ", ")); install it with "
                + "`apt-get install fonts-noto-color-emoji`, or name the font file")
    }

    /// Opens a font file.
    ///
    /// - Throws: `.fileSystem` when the file cannot be read; `.unavailable` when it holds no PNG glyphs (a font with
    ///   vector glyphs, as a rule).
    package init(fontPath: String) throws(ConcordError) {
        guard Files.exists(fontPath) else { throw .system("open the font", fontPath) }
        let blob = hb_blob_create_from_file(fontPath)
        let face = hb_face_create(blob, 0)
        hb_blob_destroy(blob)
        defer { hb_face_destroy(face) }
        guard hb_ot_color_has_png(face) != 0, let font = hb_font_create(face) else {
            throw ConcordError(
                .unavailable,
                "\(fontPath) is not a font with PNG glyphs; use NotoColorEmoji.ttf of fonts-noto-color-emoji")
        }
        hb_font_make_immutable(font)
        self.fontPath = fontPath
        self.font = font
    }

    deinit { hb_font_destroy(font) }

    /// Shapes `text` as one run and says whether it is one glyph with an image.
    package func shape(_ text: String) -> Shape {
        let buffer = hb_buffer_create()
        defer { hb_buffer_destroy(buffer) }
        let bytes = Array(text.utf8)
        bytes.withUnsafeBytes { raw in
            hb_buffer_add_utf8(
                buffer, raw.bindMemory(to: CChar.self).baseAddress, Int32(raw.count), 0, Int32(raw.count))
        }
        // Variation selectors and joiners that the font leaves over are not glyphs of the image.
        hb_buffer_set_flags(buffer, HB_BUFFER_FLAG_REMOVE_DEFAULT_IGNORABLES)
        hb_buffer_guess_segment_properties(buffer)
        hb_shape(font, buffer, nil, 0)
        var count: UInt32 = 0
        guard let glyphs = hb_buffer_get_glyph_infos(buffer, &count), count > 0 else { return .missing }
        let indices = (0..<Int(count)).map { glyphs[$0].codepoint }
        if indices.contains(0) { return .missing }
        guard indices.count == 1 else { return .severalGlyphs(indices.count) }
        return withBitmap(of: indices[0]) { $0.isEmpty } ? .plainGlyph : .image(glyph: indices[0])
    }

    /// A glyph's image on a white square of `size` pixels a side, as the bytes of an RGB PNG file.
    ///
    /// At the font's own size (128 for Noto) the pixels are those of the font; other sizes are resampled.
    /// Throws `.invalidImage` when the glyph has no image or its image is damaged.
    package func png(of glyph: UInt32, size: Int) throws(ConcordError) -> [UInt8] {
        try VipsLibrary.start()
        let result: [UInt8]? = withBitmap(of: glyph) { bitmap in
            guard !bitmap.isEmpty else { return nil }
            var output: UnsafeMutableRawPointer?
            var length = 0
            guard concord_draw_bitmap(bitmap.baseAddress, bitmap.count, Int32(size), &output, &length) == 0 else {
                vips_error_clear()
                return nil
            }
            defer { g_free(output) }
            return Array(UnsafeRawBufferPointer(start: output, count: length))
        }
        guard let result else {
            throw ConcordError(.invalidImage, "glyph \(glyph) of \(fontPath) cannot be drawn; reinstall the font")
        }
        return result
    }

    /// The bytes of the PNG that the font stores for a glyph; empty when it has none.
    package func bitmap(of glyph: UInt32) -> [UInt8] { withBitmap(of: glyph) { Array($0) } }

    private func withBitmap<Result>(of glyph: UInt32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let blob = hb_ot_color_glyph_reference_png(font, glyph)
        defer { hb_blob_destroy(blob) }
        var length: UInt32 = 0
        let start = hb_blob_get_data(blob, &length)
        return body(UnsafeRawBufferPointer(start: start, count: Int(length)))
    }
}
