import Testing

@testable import ModelFiles

@Suite("AtomicFile") struct AtomicFileTests {
    @Test("the old file is replaced only when the new file is committed")
    func replaces() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x"
            try AtomicFile.write([1, 2], to: path)
            let file = try AtomicFile(path)
            try file.append([3])
            try file.append([4, 5])
            #expect(try fileBytes(path) == [1, 2])
            #expect(try contents(of: directory).count == 2)
            try file.commit()
            #expect(try fileBytes(path) == [3, 4, 5])
            #expect(try contents(of: directory) == ["x"])
        }
    }

    @Test("a file that is not committed is removed")
    func givenUp() throws {
        try withTemporaryDirectory { directory in
            do {
                let file = try AtomicFile(directory + "/x")
                try file.append([1])
            }
            #expect(try contents(of: directory).isEmpty)
            #expect(throws: ModelFileError.self) {
                try AtomicFile.write([1], to: directory + "/absent/x")
            }
            try AtomicFile.write([1], to: directory + "/y")
            #expect(throws: ModelFileError.self) { try AtomicFile.write([1], to: directory + "/.") }
            #expect(try contents(of: directory) == ["y"])
        }
    }

    private func fileBytes(_ path: String) throws -> [UInt8] {
        let file = try InputFile(path: path)
        return try file.bytes(in: 0..<file.count)
    }
}
