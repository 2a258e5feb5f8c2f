import '@fontsource-variable/inter/wght.css';
import './style.css';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { applyTheme } from './lib/theme';
import { router } from './router';

applyTheme();
createApp(App).use(createPinia()).use(router).mount('#app');
