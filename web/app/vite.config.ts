import tailwindcss from '@tailwindcss/vite';
import vue from '@vitejs/plugin-vue';
import icons from 'unplugin-icons/vite';
import { defineConfig } from 'vitest/config';

// The manager that `npm run dev` talks to.
const manager = process.env.FLAMENCO_URL ?? 'http://localhost:8080';

const proxy = {
  '/api': manager,
  '/job-files': manager,
  '/flamenco-addon.zip': manager,
  '/socket.io': { target: manager, ws: true },
};

export default defineConfig({
  base: '/app/',
  plugins: [vue(), tailwindcss(), icons({ compiler: 'vue3', autoInstall: false, scale: 1 })],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  build: {
    outDir: 'dist',
    target: 'es2022',
    // An inlined font or picture is a data: URL, which the manager's Content-Security-Policy refuses.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        // What every first look needs is two files. Left alone, it is forty small ones, and a browser fetches six at a time.
        codeSplitting: {
          groups: [
            { name: 'libraries', tags: ['$initial'], test: /[\\/]node_modules[\\/]/, priority: 2 },
            { name: 'app', tags: ['$initial'], priority: 1 },
          ],
        },
      },
    },
  },
  server: { port: 8081, proxy },
  // What the manager sends as well, so that a page which breaks it breaks here, too.
  preview: { proxy, headers: { 'Content-Security-Policy': "default-src 'self'; img-src 'self' blob: data:" } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
