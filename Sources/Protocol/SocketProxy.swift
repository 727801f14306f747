// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The routerd authors

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Connects standard input and output to the daemon's socket: what ssh starts at the other end.
public enum SocketProxy {
    /// The command of `routerctl` that does this.
    public static let commandName = "proxy"

    /// Returns when either side has ended, and the daemon's last words are through.
    public static func run(path: String) throws(ControlError) {
        let socket = try ControlSocket(connectingTo: path)
        var input = STDIN_FILENO
        while true {
            var waiting = [pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: input, events: Int16(POLLIN), revents: 0)]
            if poll(&waiting, 2, -1) < 0 {
                if errno == EINTR { continue }
                return
            }
            if waiting[0].revents != 0, !copy(from: socket.descriptor, to: STDOUT_FILENO) { return }
            if waiting[1].revents != 0, !copy(from: input, to: socket.descriptor) {
                // Nothing more to ask; what is still to be answered comes.
                shutdown(socket.descriptor, Int32(SHUT_WR))
                input = -1
            }
        }
    }

    /// False at the end of `source`, or where `target` takes no more.
    private static func copy(from source: Int32, to target: Int32) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var count = read(source, &buffer, buffer.count)
        while count < 0, errno == EINTR { count = read(source, &buffer, buffer.count) }
        guard count > 0 else { return false }
        var sent = 0
        while sent < count {
            let written = buffer.withUnsafeBytes { bytes in
                write(target, bytes.baseAddress.map { $0 + sent }, count - sent)
            }
            if written < 0, errno == EINTR { continue }
            if written <= 0 { return false }
            sent += written
        }
        return true
    }
}
