public import Batches
import FoundationEssentials
import Kernels
import Platform

extension PublishedTokens {
    /// Writes the records as a token set.
    /// - Parameters:
    ///   - codebook: a file of float32 rows, as NumPy or PyTorch saved them; `synonyms.json` may stand beside it.
    ///   - classes: a file with the names of the classes; nil numbers them.
    public func tokenSet(codebook: String, classes: String?, to output: String) throws -> TokenSet {
        let bytes = try MappedFile(codebook).bytes
        let (rows, width) =
            codebook.hasSuffix(".npy")
            ? try NumPyFile.rows(bytes, path: codebook) : try TorchTensor.rows(bytes, path: codebook)
        let book = Codebook(rows, width: width, metric: .cosine)
        var form = TokenSetFile(side: side, codebook: book, count: count)
        form.name = path
        form.classes = try names(classes)
        form.synonyms = try synonyms(beside: codebook, codes: book.count)
        form.notes = ["source": path]
        var counts = [Int](repeating: 0, count: book.count)
        let ids = Indices(zeros: side * side)
        for index in 0..<count {
            try read(index, codes: book.count, into: ids)
            for place in 0..<ids.count { counts[Int(ids[place])] += 1 }
            form.set(index, ids, label: labels?[index])
        }
        form.counts = counts
        try form.write(to: output)
        return try TokenSet(output)
    }

    private func names(_ path: String?) throws -> [String]? {
        guard let labels else { return nil }
        let needed = (labels.max() ?? 0) + 1
        guard let path else { return (0..<needed).map(String.init) }
        let text = String(decoding: try InputFile.contents(path, limit: 64 << 20).array, as: UTF8.self)
        let names = text.split(whereSeparator: \.isNewline).map(String.init)
        guard names.count >= needed else {
            throw DataError(path, found: "\(names.count) names", expected: "at least \(needed), as the labels go")
        }
        return names
    }

    /// The first synonyms of each code, as many as an edit takes: `x-synonyms.json` beside `x-codebook.npy`; nil without it.
    private func synonyms(beside codebook: String, codes: Int) throws -> Indices? {
        let folder = codebook.lastIndex(of: "/").map { codebook[...$0] } ?? ""
        let name = codebook.dropFirst(folder.count)
        let prefix = name.firstRange(of: "codebook").map { name[..<$0.lowerBound] } ?? ""
        let (path, neighbours) = ("\(folder)\(prefix)synonyms.json", TokenEdit.neighbours)
        guard codes > neighbours, FileStatus(path, followingLinks: true) != nil else { return nil }
        let text = Data(try InputFile.contents(path, limit: 64 << 20).array)
        guard let lists = try? JSONDecoder().decode([String: [Int]].self, from: text), lists.count == codes else {
            throw DataError(
                path, found: "another content", expected: "a list of codes for each of \(codes)",
                hint: "it is damaged or belongs to another codebook; without it the nearest codes are taken")
        }
        let table = Indices(zeros: codes * neighbours)
        for code in 0..<codes {
            let list = (lists["\(code)"] ?? []).prefix(neighbours)
            guard list.count == neighbours, list.allSatisfy({ (0..<codes).contains($0) }) else {
                throw DataError(
                    "\(path), code \(code)", found: "\(Array(list))",
                    expected: "at least \(neighbours) codes from 0 to \(codes - 1)",
                    hint: "without the file the nearest codes are taken")
            }
            for (place, other) in list.enumerated() { table[code * neighbours + place] = Int32(other) }
        }
        return table
    }
}
