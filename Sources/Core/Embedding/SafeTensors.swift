// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import JSON
import CKernels

#if canImport(Glibc)
    import Glibc
#endif

/// A file of tensors (safetensors: the length of a JSON header, the header, the tensors' bytes), mapped into memory while it is read.
///
/// `@unchecked Sendable`: the mapping is only read.
final class SafeTensors: @unchecked Sendable {
    struct Unreadable: Error, CustomStringConvertible {
        var description: String
    }

    private let bytes: UnsafeRawBufferPointer
    private let header: JSONValue
    private let dataOffset: Int

    init(path: String) throws(Unreadable) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable(description: "\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 8,
            let address = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED
        else { throw Unreadable(description: "\(path) cannot be mapped into memory") }
        bytes = UnsafeRawBufferPointer(start: address, count: Int(status.st_size))
        let length = bytes.loadUnaligned(as: UInt64.self)
        guard length < UInt64(bytes.count - 8), let json = try? JSONValue(parsing: UnsafeRawBufferPointer(rebasing: bytes[8..<8 + Int(length)]))
        else {
            munmap(address, bytes.count)
            throw Unreadable(description: "\(path) is no file of tensors")
        }
        header = json
        dataOffset = 8 + Int(length)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

    /// Of the whole file.
    var digest: Digest { Digest(of: bytes) }

    /// The values of a tensor of single-precision numbers.
    func values(_ name: String, count: Int) throws(Unreadable) -> [Float] {
        guard let tensor = header[name], tensor["dtype"]?.string == "F32", let offsets = tensor["data_offsets"]?.array, offsets.count == 2,
            let begin = offsets[0].integer, let end = offsets[1].integer, begin >= 0, end - begin == count * 4, dataOffset + end <= bytes.count
        else { throw Unreadable(description: "the tensor \(name) is missing, or is not \(count) single-precision numbers") }
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[dataOffset + begin..<dataOffset + end]))
            initialized = count
        }
    }
}
