import ConcordCheckpoint
import ConcordCore
import ConcordMedia
import ConcordTestSupport
import Foundation
import Testing

/// Commands with many inputs: what is damaged is left out and listed, what was begun is gone on with.
@Suite struct ManyInputTests {
    private static let model = ZeroShotTests.folder + "/model"
    private static let wide = ZeroShotTests.folder + "/wide.png", tall = ZeroShotTests.folder + "/tall.png"

    /// Two good pictures, and between them one that is damaged and one that is not there.
    private func pictures(in folder: String) throws -> [String] {
        try Files.replace(folder + "/broken.png", with: Array(Files.read(Self.wide).prefix(60)))
        return [Self.wide, folder + "/broken.png", folder + "/none.png", Self.tall]
    }

    private func run(_ arguments: [String], in folder: String) throws -> Program.Result {
        try Program.run(arguments + ["--model", Self.model], in: folder)
    }

    /// The rows of an output in any form; NaN for `null`.
    private func rows(_ path: String) throws -> [[Float]] {
        if path.hasSuffix(".jsonl") {
            return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
                let value = try JSONValue(parsing: String(line))
                return value.elements?.map { Float($0.double ?? .nan) } ?? [.nan]
            }
        }
        let values: [Float], width: Int
        if path.hasSuffix(".npy") {
            let array = try NumPyFile(path: path)
            values = array.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            width = array.shape[1]
        } else {
            let file = try SafetensorsFile(path: path), entry = try #require(file["embeddings"])
            values = try file.withUnsafeBytes(of: entry) { Array($0.bindMemory(to: Float.self)) }
            width = entry.shape[1]
        }
        return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }

    private func lines(_ path: String) throws -> [JSONValue] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try JSONValue(parsing: String($0))
        }
    }

    private func expectLeftOut(_ entries: [JSONValue], _ paths: [String], _ comment: String = "") {
        #expect(entries.map { $0["index"]?.int } == [1, 2], "\(comment)")
        #expect(entries.map { $0["path"]?.string } == [paths[1], paths[2]], "\(comment)")
        #expect(entries.allSatisfy { $0["reason"]?.string?.isEmpty == false }, "\(comment)")
    }

    // MARK: Embedding

    @Test(arguments: ["npy", "safetensors", "jsonl"])
    func aDamagedPictureLeavesTheOthersInTheirRows(_ ending: String) throws {
        try withTemporaryFolder { folder in
            let output = folder + "/v." + ending, paths = try pictures(in: folder)
            let result = try run(["embed", "--json", "--output", output, "--image"] + paths, in: folder)
            #expect(result.status == 1 && result.errors.contains("skipped 2 of 4 images"), "\(result.errors)")
            let report = try JSONValue(parsing: result.output)
            #expect(report["rows"]?.int == 4 && report["skipped_count"]?.int == 2)
            expectLeftOut(report["skipped"]?.elements ?? [], paths)
            let list = try #require(report["skipped_file"]?.string)
            #expect(list == output + ".skipped.jsonl")
            expectLeftOut(try lines(list), paths)

            let all = try rows(output)
            #expect(all.count == 4 && all[1].allSatisfy { $0.isNaN } && all[2].allSatisfy { $0.isNaN })
            let good = folder + "/good.npy"
            let alone = try run(["embed", "--output", good, "--image", Self.wide, Self.tall], in: folder)
            #expect(alone.status == 0, "\(alone.errors)")
            for (row, expected) in zip([all[0], all[3]], try rows(good)) { expectClose(row, expected, absolute: 1e-6) }

            // A list of an earlier output goes with it.
            let again = try run(["embed", "--output", output, "--image", Self.wide], in: folder)
            #expect(again.status == 0 && !Files.exists(list), "\(again.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.contains("partial") })
        }
    }

    @Test func strictStopsAtTheFirstAndTheRestCanFollow() throws {
        try withTemporaryFolder { folder in
            let output = folder + "/v.npy", paths = try pictures(in: folder)
            let arguments = ["embed", "--output", output, "--image"] + paths
            let stopped = try run(arguments + ["--strict"], in: folder)
            #expect(stopped.status == 1 && stopped.errors.contains("broken.png"), "\(stopped.errors)")
            #expect(!Files.exists(output))
            #expect(try run(arguments, in: folder).status == 1 && Files.exists(output))
        }
    }

    @Test(arguments: ["npy", "safetensors", "jsonl"])
    func aKilledRunGoesOnToTheSameFile(_ ending: String) throws {
        try withTemporaryFolder { folder in
            let paths = try pictures(in: folder), list = folder + "/list.jsonl"
            var text = ""
            for index in 0..<4000 {
                text +=
                    index % 2 == 0
                    ? "{\"text\": \"a photo of \(index) cats\"}\n" : "{\"image\": \"\(paths[index / 2 % 4])\"}\r\n\n"
            }
            try Files.replace(list, with: "\u{FEFF}" + text)
            func arguments(_ name: String) -> [String] {
                ["embed", "--model", Self.model, "--input", list, "--output", "\(folder)/\(name).\(ending)"]
            }
            let whole = try Program.run(arguments("whole"), in: folder)
            #expect(whole.status == 1 && whole.errors.contains("1000 of 2000 images"), "\(whole.errors)")
            let expected = try Files.read(folder + "/whole.\(ending)")
            let skips = try Files.read(folder + "/whole.\(ending).skipped.jsonl")
            #expect(try rows(folder + "/whole.\(ending)").count == 4000)

            let output = folder + "/cut.\(ending)", partial = output + ".partial"
            repeat {
                let process = try Program.start(arguments("cut") + ["--force"], in: folder)
                while process.isRunning, Files.size(partial) ?? 0 < 60_000 { usleep(200) }
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
            } while Files.exists(output)
            // In the middle of a row, and an entry whose row is not there any more.
            try Files.replace(partial, with: Array(Files.read(partial).dropLast(7)))
            let begun = try #require(Files.size(partial))
            try Files.replace(list, with: text + "{\"text\": \"one more\"}\n")
            let longer = try Program.run(arguments("cut"), in: folder)
            #expect(longer.status == 1 && longer.errors.contains("(inputs, count)"), "\(longer.errors)")
            try Files.replace(list, with: "\u{FEFF}" + text)
            #expect(Files.size(partial) == begun)

            let resumed = try Program.run(arguments("cut"), in: folder)
            #expect(resumed.status == 1 && resumed.errors.contains("inputs of an earlier run"), "\(resumed.errors)")
            #expect(try Files.read(output) == expected)
            #expect(try Files.read(output + ".skipped.jsonl") == skips)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.allSatisfy { !$0.contains("partial") }, "\(names)")
        }
    }

    @Test func controlCKeepsWhatIsDone() throws {
        try withTemporaryFolder { folder in
            let text = (0..<200_000).map { "{\"text\": \"a photo of \($0) cats\"}\n" }.joined()
            try Files.replace(folder + "/list.jsonl", with: text)
            let output = folder + "/v.npy"
            let process = try Program.start(
                ["embed", "--model", Self.model, "--input", folder + "/list.jsonl", "--output", output], in: folder)
            while process.isRunning, Files.size(output + ".partial") ?? 0 < 1000 { usleep(200) }
            process.interrupt()
            let result = try Program.finish(process, in: folder)
            #expect(
                result.status == 130 && result.errors.contains("run the same command to resume"), "\(result.errors)")
            #expect(Files.exists(output + ".partial.json") && !Files.exists(output))
        }
    }

    @Test func aWrongLineIsNamedBeforeAnythingIsDone() throws {
        try withTemporaryFolder { folder in
            let output = folder + "/v.npy"
            for (line, problem) in [
                ("{\"texts\": \"a\"}", "line 3: write"), ("a cat", "line 3: is not valid JSON"),
                ("{\"text\": \"a\", \"image\": \"b\"}", "one of the three"),
            ] {
                try Files.replace(folder + "/list.jsonl", with: "{\"text\": \"a\"}\n\n\(line)\n")
                let result = try run(["embed", "--input", folder + "/list.jsonl", "--output", output], in: folder)
                #expect(result.status == 1 && result.errors.contains(problem), "\(result.errors)")
            }
            #expect(!Files.exists(output + ".partial"))
        }
    }

    @Test func aListWithoutInputsMakesNoRows() throws {
        try withTemporaryFolder { folder in
            try Files.replace(folder + "/list.jsonl", with: "\n")
            let result = try run(
                ["embed", "--input", folder + "/list.jsonl", "--output", folder + "/v.npy"], in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(try NumPyFile(path: folder + "/v.npy").shape[0] == 0)
        }
    }

    // MARK: Folders of pictures

    @Test func aFolderOfPicturesIsEmbeddedAndSearched() throws {
        try withTemporaryFolder { folder in
            let data = folder + "/photos"
            try Files.makeFolder(data + "/more")
            try FileManager.default.copyItem(atPath: Self.wide, toPath: data + "/more/wide.png")
            try FileManager.default.copyItem(atPath: Self.tall, toPath: data + "/tall.png")
            let output = folder + "/v.npy"
            let embedded = try run(["embed", "--data", data, "--output", output], in: folder)
            #expect(embedded.status == 0, "\(embedded.errors)")
            let names = try lines(output + ".rows.jsonl").map { $0["image"]?.string }
            #expect(names == [data + "/more/wide.png", data + "/tall.png"])
            // The names are a list of inputs, too.
            let listed = folder + "/w.npy"
            #expect(try run(["embed", "--input", output + ".rows.jsonl", "--output", listed], in: folder).status == 0)
            #expect(try Files.read(listed) == Files.read(output))

            let found = try run(["search", "--data", data, "--image", Self.tall, "--json"], in: folder)
            #expect(found.status == 0, "\(found.errors)")
            let results = try #require(try JSONValue(parsing: found.output)["results"]?.elements)
            #expect(results.map { $0["image"]?.string } == ["tall.png", "more/wide.png"])
            #expect(results[0]["caption"]?.string == "")
            let refused = try run(["evaluate", "--data", data], in: folder)
            #expect(refused.status == 1 && refused.errors.contains("holds none of captions.jsonl"), "\(refused.errors)")
        }
    }

    @Test func aDataSetIsEmbeddedBySplitWithWhatIsLeftOut() throws {
        try withTemporaryFolder { folder in
            try FileManager.default.copyItem(atPath: Self.wide, toPath: folder + "/wide.png")
            try FileManager.default.copyItem(atPath: Self.tall, toPath: folder + "/tall.png")
            try Files.replace(
                folder + "/captions.csv",
                with: "bild;text;split\nwide.png;x;train\n\(folder)/tall.png;y;test\nhttps://a.b/c.png;z;test\n")
            let output = folder + "/v.npy"
            let arguments = [
                "embed", "--data", folder, "--image-column", "bild", "--output", output, "--json", "--split",
            ]
            let result = try run(arguments + ["test"], in: folder)
            #expect(result.status == 1 && result.errors.contains("remoteImage 1 (line 4"), "\(result.errors)")
            #expect(result.errors.contains("note: the columns of") && result.errors.contains("`;`"))
            #expect(try lines(output + ".rows.jsonl").map { $0["image"]?.string } == [folder + "/tall.png"])
            let rows = try JSONValue(parsing: result.output)["skipped_rows"]?.elements
            #expect(rows?.map { $0["line"]?.int } == [4])
            let unknown = try run(arguments + ["tests"], in: folder)
            #expect(unknown.status == 1 && unknown.errors.contains("did you mean `test`?"), "\(unknown.errors)")
            let strict = try run(arguments + ["test", "--strict"], in: folder)
            #expect(strict.status == 1 && strict.errors.contains("a URL") && strict.output.isEmpty, "\(strict.errors)")
        }
    }

    // MARK: Other commands

    @Test func picturesToClassifyAndCompareAreLeftOutOneByOne() throws {
        try withTemporaryFolder { folder in
            let paths = try pictures(in: folder), list = folder + "/left.jsonl"
            for command in [
                ["classify", "--labels", ZeroShotTests.folder + "/labels.txt"], ["similarity", "--text", "cat", "dog"],
            ] {
                let result = try run(command + ["--json", "--skipped", list, "--image"] + paths, in: folder)
                #expect(result.status == 1, "\(result.errors)")
                let report = try JSONValue(parsing: result.output)
                expectLeftOut(report["skipped"]?.elements ?? [], paths, command[0])
                expectLeftOut(try lines(list), paths, command[0])
                let results = try #require(report["results"]?.elements)
                #expect(results.map { $0["image"]?.string } == paths)
                #expect(results.map { $0["error"] != nil } == [false, true, true, false])

                let good = try run(command + ["--json", "--image", Self.wide, Self.tall], in: folder)
                #expect(good.status == 0)
                let expected = try #require(try JSONValue(parsing: good.output)["results"]?.elements)
                #expect([results[0], results[3]] == expected)
                let text = try run(command + ["--image"] + paths, in: folder)
                #expect(text.status == 1 && text.output.contains(Self.tall) && !text.output.contains("broken"))
                let strict = try run(command + ["--json", "--strict", "--image"] + paths, in: folder)
                #expect(strict.status == 1 && strict.output.isEmpty && strict.errors.contains("broken.png"))
            }
        }
    }

    @Test func preprocessedPicturesKeepTheirPlaces() throws {
        try withTemporaryFolder { folder in
            let paths = try pictures(in: folder), output = folder + "/pixels.npy"
            let result = try run(["preprocess", "--json", "--output", output, "--image"] + paths, in: folder)
            #expect(result.status == 1, "\(result.errors)")
            expectLeftOut(try JSONValue(parsing: result.output)["skipped"]?.elements ?? [], paths)
            expectLeftOut(try lines(output + ".skipped.jsonl"), paths)
            let array = try NumPyFile(path: output), count = 3 * 16 * 16
            #expect(array.shape == [4, 3, 16, 16])
            let values = array.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            #expect(values[count..<3 * count].allSatisfy { $0.isNaN })
            let preprocessing = ImagePreprocessing.clip(size: 16)
            #expect(Array(values[3 * count..<4 * count]) == preprocessing(try Image(contentsOf: Self.tall)))
            let strict = try run(
                ["preprocess", "--strict", "--output", folder + "/x.npy", "--image"] + paths, in: folder)
            #expect(strict.status == 1 && !Files.exists(folder + "/x.npy"))
        }
    }

    @Test func galleriesAreSearchedWithoutWhatIsDamaged() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            try Files.replace(folder + "/images/red-white.png", with: "no picture")
            let caption = Array(#"{"image": "images/none.png", "caption": "nothing"}"#.utf8) + [0x0A]
            try Files.replace(folder + "/captions.jsonl", with: Files.read(folder + "/captions.jsonl") + caption)
            let list = folder + "/left.jsonl"
            for command in [["search", "--text", "a red square"], ["evaluate"]] {
                let arguments = command + ["--data", folder, "--json"]
                let result = try run(arguments + ["--skipped", list], in: folder)
                #expect(result.status == 1, "\(result.errors)")
                let report = try JSONValue(parsing: result.output)
                #expect(report["results"]?.elements?.count == 10 || report["gallery"]?.int == 31)
                let entries = try #require(report["skipped"]?.elements)
                #expect(entries == (try lines(list)))
                #expect(entries.count == 2 && entries[0]["line"]?.int == 33 && entries[1]["index"]?.int == 0)
                #expect(entries[1]["path"]?.string == "images/red-white.png")
                for strict in [["--strict"], ["--maximum-skipped-fraction", "0"]] {
                    let stopped = try run(arguments + strict, in: folder)
                    #expect(stopped.status == 1 && stopped.output.isEmpty, "\(stopped.errors)")
                }
            }
        }
    }

    @Test func aDamagedPictureDoesNotEndAnExport() throws {
        try withTemporaryFolder { folder in
            _ = try TinyData.write(to: folder)
            try Files.replace(folder + "/images/red-white.png", with: "no picture")
            let arguments = ["export", "--data", folder, "--output", folder + "/artifact", "--json"]
            let result = try run(arguments, in: folder)
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.errors.contains("1 of the images to compare on cannot be read"), "\(result.errors)")
            #expect(try JSONValue(parsing: result.output)["parity"]?["image"]?["pictures"]?.int == 31)
        }
    }
}
