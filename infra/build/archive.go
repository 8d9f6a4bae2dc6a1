package build

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Entry is the name of the program that Lambda's custom runtimes start.
const Entry = "bootstrap"

// packedAt is the modification time of every archive entry: fixed, so that packing the same binary twice gives the same
// bytes. It is the earliest date that the format can express.
var packedAt = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// archive packs a binary, unless the existing archive already holds it.
func archive(binary, path string, level int) error {
	source, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer source.Close()
	size, sum, err := measure(source)
	if err != nil {
		return err
	}
	if holds(path, size, sum) {
		return nil
	}
	if _, err := source.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return replace(path, func(w io.Writer) error { return pack(w, source, level) })
}

// measure returns a file's length and checksum.
func measure(r io.Reader) (uint64, uint32, error) {
	sum := crc32.NewIEEE()
	size, err := io.Copy(sum, r)
	return uint64(size), sum.Sum32(), err
}

// holds reports whether an archive's only entry is a program of that length and checksum. It reads the checksum from
// the archive's directory and unpacks nothing.
func holds(path string, size uint64, sum uint32) bool {
	z, err := zip.OpenReader(path)
	if err != nil {
		return false // missing or broken: packed again either way
	}
	defer z.Close()
	return len(z.File) == 1 && z.File[0].Name == Entry && z.File[0].UncompressedSize64 == size && z.File[0].CRC32 == sum
}

// pack writes an archive of one executable file.
func pack(w io.Writer, source io.Reader, level int) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) })
	header := &zip.FileHeader{Name: Entry, Method: zip.Deflate, Modified: packedAt}
	header.SetMode(0o755)
	file, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, source); err != nil {
		return err
	}
	return z.Close()
}

// replace writes a file atomically: a concurrent reader sees either the whole old file or the whole new one.
func replace(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		file.Close()
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := file.Chmod(0o644); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
