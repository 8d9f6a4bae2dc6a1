package lambda

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxUnpacked is AWS's limit on the size of an unpacked archive.
const maxUnpacked = 250 << 20

// code is an unpacked archive.
type code struct {
	folder string
	sha256 string // base64
	size   int64
}

// unpack extracts an archive into a new folder within the given one. No folder of an earlier run is used again: somebody
// could have changed it.
func unpack(within, archive string) (code, error) {
	sum, size, err := hashFile(archive)
	if err != nil {
		return code{}, err
	}
	folder, err := os.MkdirTemp(within, "")
	if err != nil {
		return code{}, err
	}
	if err := extract(archive, folder); err != nil {
		return code{}, errors.Join(err, os.RemoveAll(folder))
	}
	return code{folder: folder, sha256: base64.StdEncoding.EncodeToString(sum), size: size}, nil
}

func hashFile(path string) (sum []byte, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return h.Sum(nil), size, err
}

// extract stops at the size limit, by the sizes that the archive declares for its files.
func extract(archive, folder string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = z.Close() }()
	var total uint64
	for _, f := range z.File {
		if total += f.UncompressedSize64; total > maxUnpacked {
			return fmt.Errorf("it unpacks to more than %d bytes", maxUnpacked)
		}
		if err := extractFile(f, folder); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return checkBootstrap(folder)
}

// extractFile refuses paths outside the folder, and links: an archive must not write anywhere else.
func extractFile(f *zip.File, folder string) error {
	if !filepath.IsLocal(f.Name) {
		return errors.New("the path leaves the archive")
	}
	path := filepath.Join(folder, f.Name)
	if f.FileInfo().IsDir() {
		return os.MkdirAll(path, 0o700)
	}
	if !f.Mode().IsRegular() {
		return fmt.Errorf("only files and folders are taken, not %v", f.Mode())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// checkBootstrap reports at creation what AWS reports only at the first invocation.
func checkBootstrap(folder string) error {
	info, err := os.Stat(filepath.Join(folder, "bootstrap"))
	switch {
	case err != nil:
		return errors.New("it has no file named bootstrap at its root")
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("its bootstrap is not executable (mode %v)", info.Mode())
	}
	return nil
}
