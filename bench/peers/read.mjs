// The peer of `read-prisma`: an authenticated wallet read in Express 5 with
// Prisma, two processes, as its documentation suggests writing it.
//
// It verifies an HS256 token, which is cheaper than the ES256 that Azora
// verifies, and sets no rate limit, keeps no metrics and writes no log line.

import cluster from "node:cluster";
import express from "express";
import jwt from "jsonwebtoken";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client.js";

const { PORT, DATABASE_URL, SECRET, PROCESSES = "2" } = process.env;

if (cluster.isPrimary) {
  for (let i = 0; i < Number(PROCESSES); i++) cluster.fork();
  cluster.on("exit", () => process.exit(1));
} else {
  serve();
}

function decimal(minor, scale) {
  const digits = minor.toString().padStart(scale + 1, "0");
  return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function serve() {
  const adapter = new PrismaPg({ connectionString: DATABASE_URL, max: 4 });
  const prisma = new PrismaClient({ adapter });
  const app = express();

  app.disable("x-powered-by");

  app.use((req, res, next) => {
    const token = req.get("authorization")?.replace(/^Bearer /, "");
    try {
      req.subject = jwt.verify(token, SECRET, { algorithms: ["HS256"] }).sub;
      next();
    } catch {
      res.status(401).json({ title: "Unauthorized", status: 401 });
    }
  });

  app.get("/v1/wallets/:currency", async (req, res) => {
    const account = await prisma.account.findFirst({
      where: { owner: req.subject, kind: "wallet", currency: req.params.currency },
      include: { scale: true },
    });
    if (!account) return res.status(404).json({ title: "Not found", status: 404 });
    const scale = account.scale.scale;
    res.json({
      currency: account.currency,
      posted: decimal(account.balance, scale),
      pending: decimal(account.held, scale),
      available: decimal(account.balance - account.held, scale),
    });
  });

  app.listen(Number(PORT), "127.0.0.1");
}
