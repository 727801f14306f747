// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Names as the system knows them: the file of hosts, name servers, and whatever else `nsswitch.conf` says.
enum SystemNames {
    /// Blocks, for as long as the system's resolver tries.
    @Sendable static func lookUp(_ host: String) throws(NameFault) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        let systemError = errno
        guard code == 0 else { throw fault(host, code, systemError) }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = address(entry.pointee, host) { addresses.append(address) }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw .unknown(host, "it has no address of version 4 or 6") }
        return addresses
    }

    private static func address(_ entry: addrinfo, _ host: String) -> SocketAddress? {
        guard let bytes = UnsafeRawPointer(entry.ai_addr) else { return nil }
        switch entry.ai_family {
        case AF_INET: return SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self), host: host)
        case AF_INET6: return SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self), host: host)
        default: return nil
        }
    }

    private static func fault(_ host: String, _ code: CInt, _ systemError: CInt) -> NameFault {
        // The system's resolver does not always say that it had no descriptor left, and takes a name for unknown whose file or name
        // server it could not open.
        if code == EAI_MEMORY || !hasDescriptors { return .ours("the router has no descriptors or memory left to resolve \(host)") }
        if code == EAI_SYSTEM { return .unavailable(host, String(cString: strerror(systemError))) }
        let why = String(cString: gai_strerror(code))
        return code == EAI_NONAME || code == noData ? .unknown(host, why) : .unavailable(host, why)
    }

    /// `EAI_NODATA`, which the headers hide from us: the name exists and has no address.
    private static let noData: CInt = -5

    private static var hasDescriptors: Bool {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno != EMFILE && errno != ENFILE }
        close(descriptor)
        return true
    }
}
