public import Batches
import Kernels
import Platform

extension PublishedTokens {
    /// Writes the records as a token set.
    /// - Parameters:
    ///   - codebook: a file of float32 rows, as NumPy or PyTorch saved them.
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
        form.notes = ["source": path]
        var counts = [Int](repeating: 0, count: book.count)
        let ids = Indices(zeros: side * side)
        for index in 0..<count {
            try read(index, codes: book.count, into: ids)
            for place in 0..<ids.count { counts[Int(ids[place])] += 1 }
            form.set(index, ids, label: labels[index])
        }
        form.counts = counts
        try form.write(to: output)
        return try TokenSet(output)
    }

    private func names(_ path: String?) throws -> [String] {
        let needed = (labels.max() ?? 0) + 1
        guard let path else { return (0..<needed).map(String.init) }
        let text = String(decoding: try InputFile.contents(path, limit: 64 << 20).array, as: UTF8.self)
        let names = text.split(whereSeparator: \.isNewline).map(String.init)
        guard names.count >= needed else {
            throw DataError(path, found: "\(names.count) names", expected: "at least \(needed), as the labels go")
        }
        return names
    }
}
