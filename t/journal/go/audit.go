// Checks a copy of the public log with the packages that Go's own checksum
// database uses, none of our code: every leaf, inclusion of every leaf,
// consistency with an older checkpoint, and receipts.
//
//	audit VKEYFILE DIR OLDCHECKPOINT RECEIPT...
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error, what string) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func open(text []byte, verifier note.Verifier) tlog.Tree {
	n, err := note.Open(text, note.VerifierList(verifier))
	check(err, "note")
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		check(fmt.Errorf("%q", n.Text), "checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err, "size")
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err, "root")
	tree := tlog.Tree{N: size}
	if copy(tree.Hash[:], root) != tlog.HashSize {
		check(fmt.Errorf("%d bytes", len(root)), "root")
	}
	return tree
}

// Go names tiles tile/<height>/<level>/..., this log leaves the height out.
type directory string

func (d directory) Height() int { return 8 }

func (d directory) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (d directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(d), path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (d directory) entries(size, index int64) [][]byte {
	tile := tlog.Tile{H: 8, L: -1, N: index / 256, W: 256}
	if size-index < 256 {
		tile.W = int(size - index)
	}
	path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(string(d), path))
	check(err, "entries")
	var all [][]byte
	for len(data) > 0 {
		n := int(binary.BigEndian.Uint16(data))
		all = append(all, data[2:2+n])
		data = data[2+n:]
	}
	if len(all) != tile.W {
		check(fmt.Errorf("%d of %d", len(all), tile.W), path)
	}
	return all
}

func receipt(path string, verifier note.Verifier) {
	var r struct {
		Index                            int64
		Entry, Salt, Payload, Checkpoint string
		Proof                            [][]byte
	}
	text, err := os.ReadFile(path)
	check(err, path)
	check(json.Unmarshal(text, &r), path)
	tree := open([]byte(r.Checkpoint), verifier)
	var proof tlog.RecordProof
	for _, p := range r.Proof {
		var h tlog.Hash
		copy(h[:], p)
		proof = append(proof, h)
	}
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, r.Index,
		tlog.RecordHash([]byte(r.Entry))), path)

	var entry struct{ Hash string }
	check(json.Unmarshal([]byte(r.Entry), &entry), path)
	salt, err := hex.DecodeString(r.Salt)
	check(err, path)
	sum := sha256.Sum256(append(salt, r.Payload...))
	if want, _ := hex.DecodeString(entry.Hash); !bytes.Equal(want, sum[:]) {
		check(fmt.Errorf("does not open its hash"), path)
	}
}

func main() {
	vkey, err := os.ReadFile(os.Args[1])
	check(err, "vkey")
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	check(err, "vkey")
	dir := directory(os.Args[2])
	text, err := os.ReadFile(filepath.Join(string(dir), "checkpoint"))
	check(err, "checkpoint")
	tree := open(text, verifier)
	text, err = os.ReadFile(os.Args[3])
	check(err, "old checkpoint")
	old := open(text, verifier)

	reader := tlog.TileHashReader(tree, dir)

	for i := int64(0); i < tree.N; i += 256 {
		for j, entry := range dir.entries(tree.N, i) {
			index := i + int64(j)
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			check(err, "proof")
			check(tlog.CheckRecord(proof, tree.N, tree.Hash, index,
				tlog.RecordHash(entry)), fmt.Sprint("leaf ", index))
		}
	}

	consistent, err := tlog.ProveTree(tree.N, old.N, reader)
	check(err, "consistency")
	check(tlog.CheckTree(consistent, tree.N, tree.Hash, old.N, old.Hash),
		"consistency")

	for _, path := range os.Args[4:] {
		receipt(path, verifier)
	}

	fmt.Printf("ok %d leaves, %d receipts\n", tree.N, len(os.Args)-4)
}
