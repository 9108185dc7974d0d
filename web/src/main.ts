import { mount } from "svelte";
import App from "./ui/App.svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/tile.css";
import "./styles/value.css";
import "./styles/alarm.css";
import "./styles/pages.css";
import "./styles/kit.css";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");
mount(App, { target });
