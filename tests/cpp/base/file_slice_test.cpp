// What may be sent as a file, and which part of it.
#include "server/base/file_slice.h"

#include <cstdlib>
#include <string>

#include "support/catch.h"

using cppasgi::FileSlice;

namespace {

// A file of ten bytes, with its name.
struct TenBytes {
  TenBytes() {
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, "0123456789", 10) == 10);
  }
  ~TenBytes() {
    close(fd);
    unlink(name.c_str());
  }
  std::string name = "/tmp/cppasgi_file_slice_XXXXXX";
  int fd = mkstemp(name.data());
};

}  // namespace

TEST_CASE("FileSlice: a regular file, by path or descriptor, is whole at first", "[base]") {
  const TenBytes file;
  for (const FileSlice& slice : {FileSlice::open(file.name.c_str()), FileSlice::copy_of(file.fd)}) {
    CHECK(slice.is_open());
    CHECK(slice.fd() != file.fd);
    CHECK((fcntl(slice.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(slice.offset() == 0);
    CHECK(slice.size() == 10);
  }
}

TEST_CASE("FileSlice: select leaves what the file has", "[base]") {
  const TenBytes file;
  FileSlice slice = FileSlice::copy_of(file.fd);
  slice.select(2, 5);
  CHECK((slice.offset() == 2 && slice.size() == 5));
  slice.advance(4);
  CHECK((slice.offset() == 6 && slice.size() == 1));
  FileSlice long_one = FileSlice::copy_of(file.fd);
  long_one.select(8, UINT64_MAX);
  CHECK((long_one.offset() == 8 && long_one.size() == 2));
  FileSlice beyond = FileSlice::copy_of(file.fd);
  beyond.select(UINT64_MAX, 1);
  CHECK(beyond.size() == 0);
}

TEST_CASE("FileSlice: the descriptor is closed once, by who has it last", "[base]") {
  const TenBytes file;
  FileSlice slice = FileSlice::copy_of(file.fd);
  const int copy = slice.fd();
  FileSlice other = std::move(slice);
  CHECK(fcntl(copy, F_GETFD) != -1);
  other = FileSlice();
  CHECK(fcntl(copy, F_GETFD) == -1);
  CHECK(fcntl(file.fd, F_GETFD) != -1);
}

TEST_CASE("FileSlice: what isn't a readable regular file is refused, and nothing waits", "[base]") {
  const TenBytes file;
  const auto error_of = [](const FileSlice& slice) { return slice.is_open() ? 0 : errno; };
  CHECK(error_of(FileSlice::open("/no/such/file")) == ENOENT);
  CHECK(error_of(FileSlice::open("/tmp")) == EISDIR);
  CHECK(error_of(FileSlice::open("/dev/zero")) == EINVAL);
  CHECK(error_of(FileSlice::copy_of(-1)) == EBADF);
  const std::string fifo = file.name + ".fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error_of(FileSlice::open(fifo.c_str())) == EINVAL);
  unlink(fifo.c_str());
  const int write_only = open(file.name.c_str(), O_WRONLY | O_CLOEXEC);
  CHECK(error_of(FileSlice::copy_of(write_only)) == EINVAL);
  close(write_only);
}

TEST_CASE("FileSlice: copies share the position", "[base]") {
  const TenBytes file;
  const FileSlice slice = FileSlice::copy_of(file.fd);
  CHECK(slice.position() == 10);
  slice.set_position(3);
  CHECK(lseek(file.fd, 0, SEEK_CUR) == 3);
}
