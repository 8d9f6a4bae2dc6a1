package stack

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

// entry is the name of the program that Lambda's custom runtimes start.
const entry = "bootstrap"

// packedAt stands for every time in an archive, so that packing the same binary again gives the same bytes. It is
// the first day that the format knows.
var packedAt = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// archive packs a binary, unless the archive that is there holds that very binary already.
func archive(binary, path string) error {
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
	return replace(path, func(w io.Writer) error { return pack(w, source) })
}

// measure gives a file's length and checksum.
func measure(r io.Reader) (uint64, uint32, error) {
	sum := crc32.NewIEEE()
	size, err := io.Copy(sum, r)
	return uint64(size), sum.Sum32(), err
}

// holds tells whether an archive's one entry is a program of that length and checksum. The checksum is read from the
// archive's directory, nothing is unpacked.
func holds(path string, size uint64, sum uint32) bool {
	z, err := zip.OpenReader(path)
	if err != nil {
		return false // not there, or not an archive: packed anew either way
	}
	defer z.Close()
	return len(z.File) == 1 && z.File[0].Name == entry && z.File[0].UncompressedSize64 == size && z.File[0].CRC32 == sum
}

// pack writes an archive of one executable file.
func pack(w io.Writer, source io.Reader) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: entry, Method: zip.Deflate, Modified: packedAt}
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

// replace writes a file in one step: whoever reads it meanwhile sees the old one or the new one, whole.
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
