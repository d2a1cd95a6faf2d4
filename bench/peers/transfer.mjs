// The peer of `transfer-prisma`: a transfer between two wallets in Express 5
// with a Prisma transaction, two processes. It keeps the same facts in the
// same tables as ledger.transfer_batch: both balances, the transfer under its
// Idempotency-Key, the journal's entry and payload.
//
// It verifies an HS256 token, which is cheaper than the ES256 that Azora
// verifies, and sets no rate limit, keeps no metrics and writes no log line.

import cluster from "node:cluster";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import express from "express";
import jwt from "jsonwebtoken";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client.js";

const { PORT, DATABASE_URL, SECRET, PROCESSES = "2" } = process.env;
const SCALE = 8;

if (cluster.isPrimary) {
  for (let i = 0; i < Number(PROCESSES); i++) cluster.fork();
  cluster.on("exit", () => process.exit(1));
} else {
  serve();
}

class Refusal extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

function minorUnits(amount) {
  const [, major, decimals = ""] =
    /^(\d{1,10})(?:\.(\d{1,8}))?$/.exec(amount) ?? [];
  if (major === undefined) throw new Refusal(422, "Amount out of range");
  return BigInt(major + decimals.padEnd(SCALE, "0"));
}

function sha256(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

// By falling ids it could deadlock with another; the lower id goes first.
async function move(tx, from, to, minor) {
  const debit = () => tx.account.update({
    where: { id: from.id, balance: { gte: minor }, frozen: false },
    data: { balance: { decrement: minor }, sequence: { increment: 1 } },
  });
  const credit = () => tx.account.update({
    where: { id: to.id, frozen: false },
    data: { balance: { increment: minor }, sequence: { increment: 1 } },
  });

  if (from.id < to.id) return [await debit(), await credit()];
  const credited = await credit();
  return [await debit(), credited];
}

async function record(tx, subject, transfer) {
  const entry = randomUUID();
  const salt = randomBytes(32);
  const body = {
    transfer: transfer.id, debit: Number(transfer.debit),
    credit: Number(transfer.credit), currency: transfer.currency,
    minor: Number(transfer.amount),
  };
  const at = new Date(Math.floor(Date.now() / 60000) * 60000);

  await tx.entry.create({
    data: {
      id: entry, type: "payment.completed", at,
      payload_hash: sha256(salt, JSON.stringify(body)),
    },
  });
  await tx.payload.create({ data: { entry, salt, body, subject } });
}

async function transfer(prisma, { subject, currency, to, amount, key, hash }) {
  const minor = minorUnits(amount);

  return prisma.$transaction(async (tx) => {
    const wallet = (owner) => tx.account.findFirst({
      where: { owner, currency, kind: "wallet" },
    });
    const from = await wallet(subject);
    const recipient = await wallet(to);
    if (!from || !recipient) throw new Refusal(422, "Unknown account");

    const before = await tx.transfer.findFirst({
      where: { debit: from.id, key },
    });
    if (before) return before;

    const [debited, credited] = await move(tx, from, recipient, minor);
    const made = await tx.transfer.create({
      data: {
        id: randomUUID(), amount: minor, currency, kind: "transfer",
        debit: from.id, debit_seq: debited.sequence,
        debit_balance: debited.balance, credit: recipient.id,
        credit_seq: credited.sequence, credit_balance: credited.balance,
        created_at: new Date(), recipient: to, key, payload_hash: hash,
      },
    });
    await record(tx, subject, made);
    return made;
  }, { maxWait: 20000, timeout: 20000 });
}

function serve() {
  const adapter = new PrismaPg({ connectionString: DATABASE_URL, max: 8 });
  const prisma = new PrismaClient({ adapter });
  const app = express();

  app.disable("x-powered-by");
  app.use(express.json());

  app.use((req, res, next) => {
    const token = req.get("authorization")?.replace(/^Bearer /, "");
    try {
      req.subject = jwt.verify(token, SECRET, { algorithms: ["HS256"] }).sub;
      next();
    } catch {
      res.status(401).json({ title: "Unauthorized", status: 401 });
    }
  });

  app.post("/v1/wallets/:currency/transfers", async (req, res) => {
    const key = req.get("idempotency-key");
    if (!key) return res.status(400).json({ title: "No key", status: 400 });

    try {
      const made = await transfer(prisma, {
        subject: req.subject, currency: req.params.currency,
        to: req.body.to, amount: req.body.amount, key,
        hash: sha256(JSON.stringify(req.body)).toString("hex"),
      });
      res.status(201).location(`/v1/transfers/${made.id}`).json({
        id: made.id, currency: made.currency, amount: req.body.amount,
        to: made.recipient, created_at: made.created_at,
      });
    } catch (error) {
      const status = error.status ?? (error.code === "P2025" ? 422 : 500);
      res.status(status).json({ title: error.message, status });
    }
  });

  app.listen(Number(PORT), "127.0.0.1");
}
